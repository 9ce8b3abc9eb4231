"""What makes room in a full buffer: the setting ``buffer.when_full``.

==============  ====================================================================================
refuse_new      nothing: the oldest readings stay, new ones are dropped (reason ``buffer_full``)
drop_oldest     the oldest batches go (reason ``dropped_oldest``)
thin_out        the oldest half loses every second reading, then again (reason ``thinned_out``), so
                that a long outage is kept whole and gets coarser towards its beginning
==============  ====================================================================================

What has been handed to the uplink is not touched: it may be on its way. The work of one call is
bounded by ``BUFFER_ROOM_STEP_BATCHES``, that of a commit by ``BUFFER_ROOM_STEPS``; where that does not
free enough, the new readings are refused and the next commit goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from edge_agent.buffer.batches import StoredBatch
from edge_agent.buffer.commits import Commits, changed
from edge_agent.buffer.schema import WhenFull
from edge_agent.buffer.tables import Tables
from edge_agent.buffer.thin import halve, neighbours
from headrace.errors import StorageFull
from headrace.limits.agent import (
    BUFFER_DISK_RESERVE_BYTES,
    BUFFER_ROOM_STEP_BATCHES,
    BUFFER_ROOM_STEPS,
)
from headrace.ranges import Range


@dataclass(frozen=True, slots=True)
class Clearing:
    """What to do in one transaction: batches to delete, to store instead, and what that drops."""

    delete: list[Range] = field(default_factory=list)
    add: list[StoredBatch] = field(default_factory=list)
    dropped: Mapping[str, int] = field(default_factory=dict)


class Policy(Protocol):
    """Chooses what goes."""

    def clear(self, tables: Tables, *, lent: int, needed: int) -> Clearing:
        """At least ``needed`` bytes if one step can, of what lies behind the number ``lent``."""


class RefuseNew:
    """Keeps what is there."""

    def clear(self, tables: Tables, *, lent: int, needed: int) -> Clearing:
        del tables, lent, needed
        return Clearing()


class DropOldest:
    """Whole batches, in order."""

    def clear(self, tables: Tables, *, lent: int, needed: int) -> Clearing:
        made = Clearing()
        freed = rows = 0
        for batch, _ in tables.oldest(lent, BUFFER_ROOM_STEP_BATCHES):
            if freed >= needed:
                break
            made.delete.append((batch.first_seq, batch.last_seq))
            freed += len(batch.payload)
            rows += batch.rows
        return Clearing(made.delete, dropped={"dropped_oldest": rows} if rows else {})


class ThinOut:
    """Sweeps over the oldest half of the readings that are there, again and again."""

    def __init__(self) -> None:
        self._at = self._left = 0

    def clear(self, tables: Tables, *, lent: int, needed: int) -> Clearing:
        del needed  # one step whatever is needed: a group of batches becomes half as large
        if self._left <= 0:
            self._at, self._left = 0, tables.rows // 2
        self._at = max(self._at, lent)
        found = tables.oldest(self._at, BUFFER_ROOM_STEP_BATCHES)
        if not found:
            self._left = 0
            return Clearing()
        group = neighbours([batch for batch, _ in found])
        self._at = group[-1].last_seq
        self._left -= sum(batch.rows for batch in group)
        return _thinned(group, {b.first_seq for b, sound in found if not sound}, tables.stream)


def _thinned(group: list[StoredBatch], damaged: set[int], stream: str) -> Clearing:
    dropped: Counter[str] = Counter()
    sound = [batch for batch in group if batch.first_seq not in damaged]
    add = [halve(sound, stream)] if sound else []
    dropped["thinned_out"] = sum(b.rows for b in sound) - sum(b.rows for b in add)
    dropped["damaged"] = sum(b.rows for b in group if b.first_seq in damaged)
    delete = [(batch.first_seq, batch.last_seq) for batch in group]
    return Clearing(delete, add, {reason: rows for reason, rows in dropped.items() if rows})


POLICIES: Final[Mapping[WhenFull, type[Policy]]] = {
    "refuse_new": RefuseNew,
    "drop_oldest": DropOldest,
    "thin_out": ThinOut,
}


class Room:
    """Keeps a buffer within its budget, and its disk from being full. The caller locks."""

    def __init__(self, commits: Commits, *, max_bytes: int, when_full: WhenFull) -> None:
        self._commits, self._max_bytes = commits, max_bytes
        self._policy = POLICIES[when_full]()

    def make(self, size: int, *, lent: int) -> Mapping[str, int]:
        """Make room for ``size`` bytes; returns what that dropped, by reason.

        A full disk is a full buffer: the setting decides what goes, and freed pages are used again.

        Raises:
            StorageFull: the setting's steps do not free enough.
        """
        if not size or self._over_by(size) <= 0:
            return {}
        self._commits.fold_pending()
        dropped: Counter[str] = Counter()
        for _ in range(BUFFER_ROOM_STEPS):
            needed = self._over_by(size)
            if needed <= 0:
                return dropped
            made = self._policy.clear(self._commits.tables, lent=lent, needed=needed)
            if made.delete:
                self._clear(made)
                dropped.update(made.dropped)
        if self._over_by(size) > 0:
            raise self._full(size)
        return dropped

    def _clear(self, made: Clearing) -> None:
        totals = changed(self._commits.totals, 0, made.dropped)
        self._commits.fold(totals, made.add, delete=made.delete)

    def _over_by(self, size: int) -> int:
        return max(self._over_budget(size), size - self._commits.disk_bytes())

    def _over_budget(self, size: int) -> int:
        return self._commits.used_bytes() + size - self._max_bytes

    def _full(self, size: int) -> StorageFull:
        path = self._commits.path
        if self._over_budget(size) > 0:
            return StorageFull(
                f"buffer {path}: {self._max_bytes} bytes are used up",
                hint="raise buffer.max_bytes, or look why the gateway does not acknowledge",
            )
        return StorageFull(
            f"buffer {path}: its disk is full but for {BUFFER_DISK_RESERVE_BYTES} bytes",
            hint="free space on that disk, or set another buffer.path",
        )
