"""A connection that is given up when it is silent, and not when it is slow.

libpq waits for an answer as long as TCP does, which is for ever when a firewall has forgotten the
connection. A time for a whole delivery is no answer: 20 MB through a thin line, or a dozen statements
with half a second between them, would run into it, be sent again, and run into it again, for ever. So
what counts is whether anything moves: the server says something, or the kernel gets rid of some of what it
has been given to send (Linux's SIOCOUTQ: bytes that the other side has not acknowledged).
"""

from __future__ import annotations

import fcntl
import struct
import termios
import time
from selectors import PollSelector
from typing import Any, Final

import psycopg
from psycopg.abc import RV, PQGen
from psycopg.waiting import Ready, Wait

from headrace.limits.sinks import POSTGRES_TIMEOUT_S

#: How often the kernel is asked what has left it.
_LOOK_S: Final = 0.5


class PatientConnection(psycopg.Connection[Any]):
    """A connection of psycopg's that waits itself: all its waiting goes through ``wait``.

    Attributes:
        silence_s: how long nothing may move.
    """

    silence_s: float = POSTGRES_TIMEOUT_S

    def wait(self, gen: PQGen[RV], interval: float = 0.0, timeout: float | None = None) -> RV:
        """Go on with a command of psycopg's whenever the socket is ready for it.

        Raises:
            psycopg.OperationalError: nothing has moved; the connection is closed, so that nothing that
                follows (a rollback, the end of a COPY) waits once more.
        """
        try:
            wanted = next(gen)
            while True:
                wanted = gen.send(self._ready(wanted))
        except StopIteration as end:
            answer: RV = end.value
            return answer

    def _ready(self, wanted: Wait) -> Ready:
        moved, unsent = time.monotonic(), self._unsent()
        with PollSelector() as selector:
            selector.register(self.fileno(), wanted)
            while not (found := selector.select(min(_LOOK_S, self.silence_s))):
                left = self._unsent()
                if left < unsent:
                    moved = time.monotonic()
                unsent = left
                if time.monotonic() - moved > self.silence_s:
                    self.close()
                    raise psycopg.OperationalError(f"silent for {self.silence_s:.0f} s, given up")
        return Ready(found[0][1])

    def _unsent(self) -> int:
        """Bytes that have been written to the socket and that the other side does not have."""
        (count,) = struct.unpack("i", fcntl.ioctl(self.fileno(), termios.TIOCOUTQ, bytes(4)))
        return int(count)
