"""A dictionary that keeps what was asked for last: a server meets shapes without end.

Whatever is thrown out is only forgotten here; whoever has it can go on to use it.
"""

import threading
from collections import OrderedDict


class Recent:
    """Values by key, made where they are missing, at most `most` of them. For several threads."""

    def __init__(self, most):
        self.most, self._values, self._lock = most, OrderedDict(), threading.Lock()

    def get(self, key, make):
        """Return the value of `key`, which `make()` gives where there is none."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = make()  # which may take long: others need not wait
        with self._lock:
            value = self._values.setdefault(key, value)
            while len(self._values) > self.most:
                self._values.popitem(last=False)
        return value

    def items(self):
        """Return a list of (key, value), that not used for longest first."""
        with self._lock:
            return list(self._values.items())

    def __len__(self):
        return len(self._values)
