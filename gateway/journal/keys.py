"""What has been sent under an Idempotency-Key: a repeated request is told by it and committed once.

Readings without a stream of their own get the next numbers of the stream ``meta.keyed_stream``, and the
key is remembered in the same transaction: whoever asks again, also after a crash or at the same time
as the first, meets it here. A key is looked up where it stands, in the journal's file, so that a million
of them cost no memory.

Keys are forgotten after ``KEY_REMEMBERED_S`` seconds in which the gateway ran. ``at`` counts those
seconds, not the wall clock's: a clock that is set right after a start without a network would
otherwise forget a key that is a minute old. After a restart the count goes on behind the newest key.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Final

from headrace.clock import Clock
from headrace.limits.http import KEY_REMEMBERED_S, KEYS_MAX

#: (device, key): a key belongs to one device.
DeviceKey = tuple[str, bytes]

#: Keys forgotten in one step, so that it never holds up a commit for long.
_STEP: Final = 1_000


class Keys:
    """The journal's table of keys; used by the thread that commits.

    Attributes:
        count: how many are remembered; others may read it.
    """

    def __init__(self, db: sqlite3.Connection, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self.count, newest = db.execute(
            "SELECT count(*), coalesce(max(at), 0) FROM keys"
        ).fetchone()
        self._start = newest - clock.monotonic()

    @property
    def full(self) -> bool:
        """Whether no new key may come: one that is promised to be remembered cannot make room."""
        return bool(self.count >= KEYS_MAX)

    def find(self, key: DeviceKey) -> int | None:
        """The CRC-32 of the payload that came under a key; None when none did."""
        row = self._db.execute("SELECT crc FROM keys WHERE device = ? AND key = ?", key).fetchone()
        return None if row is None else int(row[0])

    def insert(self, new: Mapping[DeviceKey, int]) -> None:
        """Remember keys, with the CRC-32 of their payloads, in the open transaction."""
        now = self._now()
        self._db.executemany(
            "INSERT INTO keys VALUES (?, ?, ?, ?)",
            [(device, key, crc, now) for (device, key), crc in new.items()],
        )

    def forget(self) -> None:
        """Forget one step of those that are over; call again and again."""
        done = self._db.execute(
            "DELETE FROM keys WHERE (device, key) IN "
            "(SELECT device, key FROM keys WHERE at < ? ORDER BY at LIMIT ?)",
            (self._now() - KEY_REMEMBERED_S, _STEP),
        )
        self.count -= done.rowcount

    def _now(self) -> int:
        return int(self._start + self._clock.monotonic())
