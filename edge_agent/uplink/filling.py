"""What goes out next, and when: messages from the buffer for the room that the window has.

At once while nothing is in flight, and otherwise as large as what has come together in
``UPLINK_HOLD_S``, so that a quiet device is prompt and a busy one is cheap.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing

from edge_agent.buffer.coalesce import Outgoing, next_message
from edge_agent.buffer.store import Store
from edge_agent.uplink.machine import Machine
from headrace.errors import StorageCorrupt, StorageError
from headrace.limits.agent import RETRY_FIRST_S, UPLINK_HOLD_S
from headrace.logs import Condition

_log = logging.getLogger(__name__)


class Filling:
    """Reads the buffer for one uplink.

    Attributes:
        held_until: when to look again although nothing has happened; None where that is not needed.
    """

    def __init__(self, store: Store, *, message_rows: int) -> None:
        self._store = store
        self._message_rows = message_rows
        self._condition = Condition(_log, f"reading the buffer {store.path}")
        self._cursor = 0
        self._ready: Outgoing | None = None
        self.held_until: float | None = None

    def messages(self, machine: Machine, now: float, *, draining: bool) -> Iterator[Outgoing]:
        """As many as the machine has room for; each must have been offered to it when the next is asked for.

        Raises:
            StorageCorrupt: the buffer is damaged.
        """
        try:
            while machine.room() and self._may_send(now, prompt=draining or not machine.in_flight):
                message = self._ready or self._read()
                self._ready = message
                if message is None or not machine.room(len(message.payload)):
                    return
                self._ready = None
                yield message
            self._condition.good()
        except StorageCorrupt:
            raise
        except StorageError as error:
            self._condition.bad(error)
            self.held_until = now + RETRY_FIRST_S

    def _read(self) -> Outgoing | None:
        last = self._store.next_seq - 1
        with closing(self._store.read(self._cursor)) as stored:
            message = next_message(stored, self._store.stream, self._message_rows)
        # Without a message, everything up to `last` was dropped or is acknowledged already.
        self._cursor = message.last_seq if message else last
        return message

    def _may_send(self, now: float, *, prompt: bool) -> bool:
        """Whether to send now what is in the buffer, or to let it grow for a moment."""
        waiting = self._store.next_seq - 1 - self._cursor
        if self._ready is None and waiting <= 0:
            self.held_until = None
            return False
        if self._ready is not None or prompt or waiting >= self._message_rows // 2:
            self.held_until = None
            return True
        if self.held_until is None:
            self.held_until = now + UPLINK_HOLD_S
        if now < self.held_until:
            return False
        self.held_until = None
        return True
