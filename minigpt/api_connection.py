"""A connection with limits: uvicorn's HTTP/1.1 protocol, which trusts its clients, on a leash.

Who takes long to say what is wanted, or to take what was sent, is cut off. Where there are too many
connections, the one that has asked for nothing for the longest time makes room: otherwise idle
clients could hold all there are. What is no HTTP gets an answer in the shape of the API's. Limits
on bodies are in api_guard.py.

A client may end its own sending after a request (`nc -N`, socat) and read on. To the server that
looks like one that has gone. Only writing tells them apart: what has gone refuses what is written,
and the next write fails. So "100 Continue", which says nothing and may be said often, is written
until the answer begins. HTTP/1.0 has no such word: there it is found out by the answer itself.

Sources: the "slowloris" attack; RFC 9112, section 9.5 (a server may close a connection any time);
RFC 9110, section 15.2 (a client takes any number of 1xx; none may be sent to HTTP/1.0).
"""

try:
    import resource
except ImportError:  # not on Windows
    resource = None

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from minigpt.api_errors import ApiError
from minigpt.api_guard import HEADERS

MAX_CONNECTIONS = 1000
OTHER_FILES = 200  # that a server has open beside connections
HEADER_TIMEOUT_S = 15  # from the first byte, or the connection, to the last header
SEND_TIMEOUT_S = 30  # for what was sent to be taken
PROBE_EVERY_S = 2  # whether who ended its sending still reads


class Connection(H11Protocol):
    """A connection to a client."""

    header_timeout_s = HEADER_TIMEOUT_S
    send_timeout_s = SEND_TIMEOUT_S
    max_connections = MAX_CONNECTIONS
    probe_every_s = PROBE_EVERY_S
    _header_timer = _send_timer = _probe_timer = None
    _sent_all = False  # whether the client has ended its sending

    def connection_made(self, transport):
        """Begin; where there are too many, end the longest idle one, which may be this."""
        super().connection_made(transport)
        self.idle_since = self.loop.time()
        self._time_headers()
        if len(self.connections) > self.max_connections:
            idle = [c for c in self.connections if not c.answering() and not c.closing()]
            min(idle, key=lambda c: c.idle_since).transport.abort()

    def data_received(self, data):
        """Take bytes."""
        super().data_received(data)
        self._time_headers()

    def eof_received(self):
        """Answer what was asked completely; return whether the connection is still needed."""
        if not self.answering() or self.cycle.more_body:
            return False
        self._sent_all = True
        self._probe()
        return True

    def _probe(self):
        """Write something from time to time, which ends the connection where nobody reads."""
        cancelled(self._probe_timer)
        unanswered = self.answering() and not self.cycle.response_started
        if unanswered and self.cycle.scope["http_version"] == "1.1":
            word = h11.InformationalResponse(status_code=100, headers=[], reason="Continue")
            self.transport.write(self.conn.send(word))
        self._probe_timer = self.loop.call_later(self.probe_every_s, self._probe)

    def _time_headers(self):
        """Have the timer run while bytes come, but no request that could be answered."""
        waiting = not self.answering() and not self.closing()
        if waiting and self._header_timer is None:
            self._header_timer = self.loop.call_later(self.header_timeout_s, self.transport.abort)
        elif not waiting:
            self._header_timer = cancelled(self._header_timer)

    def pause_writing(self):
        """Wait: more was sent than is taken."""
        super().pause_writing()
        self._time_sending()

    def resume_writing(self):
        """Go on."""
        super().resume_writing()
        self._send_timer = cancelled(self._send_timer)

    def on_response_complete(self):
        """Wait for the next request, and for the rest of this answer to be taken."""
        super().on_response_complete()
        self.idle_since = self.loop.time()
        self._time_sending()
        if self._sent_all and not self.answering():
            self.transport.close()

    def _time_sending(self):
        cancelled(self._send_timer)
        self._send_timer = self.loop.call_later(self.send_timeout_s, self._give_up)

    def _give_up(self):
        if self.transport.get_write_buffer_size():
            self.transport.abort()

    def connection_lost(self, exc):
        """Clear up."""
        self._header_timer = cancelled(self._header_timer)
        self._send_timer = cancelled(self._send_timer)
        self._probe_timer = cancelled(self._probe_timer)
        super().connection_lost(exc)

    def send_400_response(self, msg):
        """Answer to what is no HTTP."""
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE) or self.answering():
            self.transport.abort()  # an answer is on its way: nothing can be said any more
            return
        body = ApiError(400, "this is no HTTP/1.1 request that is understood here").body()
        own = {"content-type": "application/json", "content-length": len(body)}
        headers = own | HEADERS | {"connection": "close"}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.transport.write(f"HTTP/1.1 400 Bad Request\r\n{lines}\r\n".encode() + body)
        self.transport.close()

    def answering(self):
        """Tell whether a request is being answered."""
        return self.cycle is not None and not self.cycle.response_complete

    def closing(self):
        """Tell whether this is ending already."""
        return self.transport.is_closing()


def allow_connections():
    """Have this process open as many files as there may be connections, or fewer connections."""
    if resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        Connection.max_connections = max(16, min(MAX_CONNECTIONS, soft - OTHER_FILES))


def cancelled(timer):
    """Cancel a timer that may be None; return None."""
    if timer is not None:
        timer.cancel()
