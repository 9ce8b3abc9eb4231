"""What the journal keeps, and when it says that it is full.

A row may go when every known consumer is past it. Over the budget, optional consumers lose their
say: they are skipped past, and notice (and count) the hole when they come to it. Required ones never
do: with them behind and the budget used up, the gateway stops acknowledging and the devices hold
the rest. A full disk is a budget that is used up (``gateway/journal/disk_room.py``). Names in ``hold_for`` hold
the journal even before they have ever asked for it: cloud_sync may be started a week after the gateway.

Rows that have landed are kept for a while all the same, up to half of the budget (``headrace/journal/kept.py``).
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Sequence
from typing import Final

from headrace import damage
from headrace.errors import StorageFull
from headrace.journal import DAMAGED, REGISTERED, kept
from headrace.limits.lake import KEEP_LANDED_SHARE

logger = logging.getLogger(__name__)

#: Rows deleted in one transaction, so that pruning never holds up a commit for long.
_PRUNE_STEP = 256

#: Not known to be damaged: deleting such a row would give back pages that its damaged chain names,
#: and they may be another row's.
_IS_SOUND: Final = (
    "offset NOT IN (SELECT CAST(substr(topic, 9) AS INTEGER) FROM quarantine WHERE reason = ?)"
)

#: Below the budget by this much the gateway takes batches again: it must not flap.
_RESUME_AT = 0.95


class Retention:
    """Decides what to prune; counts pages, because a SQLite file does not shrink."""

    def __init__(self, *, max_bytes: int, hold_for: Sequence[str]) -> None:
        self._max_bytes = max_bytes
        self._hold_for = tuple(hold_for)
        self._full = False
        self._disk_full = False
        self._damaged_up_to = 0
        self.used_bytes = 0

    def change(self, *, max_bytes: int, hold_for: Sequence[str]) -> None:
        """Other limits from the next look on."""
        self._max_bytes = max_bytes
        self._hold_for = tuple(hold_for)

    def check_budget(self) -> None:
        """Refuse work that would grow a journal over its budget.

        Raises:
            StorageFull: required consumers are too far behind.
        """
        if self._full:
            raise StorageFull(
                f"the journal uses {self.used_bytes} bytes of {self._max_bytes} "
                "and required consumers are behind",
                hint="see which with `gateway journal stat`; start cloud-sync, raise "
                "journal.max_bytes, or take the consumer out of journal.hold_for",
            )

    def disk_is_full(self) -> None:
        """Something did not fit: the next look spares no row that could go."""
        self._disk_full = True

    def prune(self, db: sqlite3.Connection) -> None:
        """Delete one step of rows that nobody needs; call again and again."""
        self._measure(db)
        over = self._disk_full or self.used_bytes > self._max_bytes
        up_to = self._needed_from(db, required_only=over)
        if up_to > self._damaged_up_to:
            self._delete(db, up_to)
            self._measure(db)
        self._disk_full = False
        limit = self._max_bytes * (_RESUME_AT if self._full else 1.0)
        self._full = self.used_bytes > limit

    def _delete(self, db: sqlite3.Connection, up_to: int) -> None:
        """One step of rows; those on a damaged page stay for ever, and those behind them go."""
        try:
            db.execute(
                f"DELETE FROM batches WHERE offset IN (SELECT offset FROM batches "  # noqa: S608
                f"WHERE offset > ? AND offset <= ? AND {_IS_SOUND} ORDER BY offset LIMIT ?)",
                (self._damaged_up_to, up_to, DAMAGED, _PRUNE_STEP),
            )
        except sqlite3.Error as error:
            if not damage.is_damage(error):
                raise
            self._damaged_up_to = self._pass_damage(db, up_to)
            logger.error(
                "journal rows up to offset %d cannot be deleted: %s", self._damaged_up_to, error
            )

    def _pass_damage(self, db: sqlite3.Connection, up_to: int) -> int:
        """Delete one by one up to the first row that does not go; where the damage ends."""
        at = self._damaged_up_to
        while at < up_to:
            try:
                row = db.execute(
                    f"SELECT offset FROM batches WHERE offset > ? AND {_IS_SOUND} "  # noqa: S608
                    "ORDER BY offset LIMIT 1",
                    (at, DAMAGED),
                ).fetchone()
                if row is None:
                    return up_to
                db.execute("DELETE FROM batches WHERE offset = ?", row)
            except sqlite3.Error as error:
                if not damage.is_damage(error):
                    raise
                return max(at + 1, damage.next_readable(db, at, up_to))
            at = int(row[0])
        return at

    def _needed_from(self, db: sqlite3.Connection, *, required_only: bool) -> int:
        """The last offset that every consumer with a say is past."""
        cursors = db.execute("SELECT consumer, offset, required FROM cursors").fetchall()
        known = {name for name, _, _ in cursors}
        if any(name not in known for name in self._hold_for):
            return 0
        held = [
            offset
            for name, offset, required in cursors
            if name in self._hold_for
            or required
            # "registered" reads nothing: a registrar that is away must not fill a site's disk.
            or not (required_only or name == REGISTERED)
        ]
        roomy = self.used_bytes <= self._max_bytes * KEEP_LANDED_SHARE
        if held and roomy and not required_only:
            held += self._kept(db)
        return min(held, default=0)

    def _kept(self, db: sqlite3.Connection) -> list[int]:
        """Up to where landed rows may go, where cloud_sync has said so."""
        row = db.execute(
            "SELECT value FROM consumer_state WHERE consumer = ? AND key = ?",
            (kept.CONSUMER, kept.KEY),
        ).fetchone()
        return [] if row is None else [kept.decode(row[0]).floor]

    def _measure(self, db: sqlite3.Connection) -> None:
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        (free,) = db.execute("PRAGMA freelist_count").fetchone()
        (size,) = db.execute("PRAGMA page_size").fetchone()
        self.used_bytes = (pages - free) * size
