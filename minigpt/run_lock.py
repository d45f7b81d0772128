"""Who trains here? A run holds a lock on its folder, and whoever looks can tell.

The system lets go of the lock when the process ends, however it ends: a run that was killed is
known to be dead at once, and no file is left behind that says otherwise. It keeps nobody from
reading or writing. Windows and some network drives have no such lock: there, nobody knows.

Source: flock(2) of Linux and of BSD; it takes folders, too.
"""

import contextlib
import os
import time

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


PATIENCE_S = 1.0  # who only looks, `is_held`, is gone in an instant


@contextlib.contextmanager
def held(folder):
    """Hold the lock of `folder` in a `with` statement, where the system has locks.

    Gives its file descriptor, or None: a folder that does not exist has no lock. Raises ValueError
    where somebody else holds it.
    """
    file = open_folder(folder)
    try:
        if file is not None:
            take(file, folder)
        yield file
    finally:
        if file is not None:
            os.close(file)


def take(file, folder):
    """Take the lock of an open folder."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                raise ValueError(
                    f"{folder} is being trained by another process; wait for it or end it first"
                ) from None
            time.sleep(0.02)
        except OSError:  # a drive that has no locks
            return None


def is_of(file, folder):
    """Tell whether the file descriptor is that of `folder`, which may have been moved away."""
    return file is not None and os.path.samestat(os.fstat(file), os.stat(folder))


def is_held(folder):
    """Tell whether a process holds the lock of `folder`; None where that cannot be known."""
    file = open_folder(folder)
    if file is None:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: others may look as well
        return False
    except BlockingIOError:
        return True
    except OSError:
        return None
    finally:
        os.close(file)


def open_folder(folder):
    """Return a file descriptor of `folder`, None where it cannot be opened or has no locks."""
    try:
        return os.open(folder, os.O_RDONLY) if fcntl else None
    except OSError:
        return None
