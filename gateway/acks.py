"""When a device is told that its readings are safe: after the journal's commit, or when the lake has them.

``ack_after = "lake"`` is for a site that does not trust one gateway's disk. The acks then follow the cursor
"registered", which cloud-sync moves in the same file once the table has a range (it may be another machine
that registers: cloud-sync asks). Nothing is remembered for that but one more cursor, "acks": rows between
the two are those whose devices have to be told, and the journal keeps them until that is done. So a gateway
that was restarted tells them, too, and an ack that was sent twice does no harm.

What the journal could not give to the lake, because its disk has damaged it, is not acknowledged and forgotten
here (``headrace/journal/lost.py``): then the device's next try is new, and lands.

A batch that comes again is acknowledged as far as it is registered. What has not is known as ranges per
(device, stream), which are few, because a device's batches follow each other.

PUBACKs and answers to HTTP requests are not delayed: they stand for the journal alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from gateway.feed import Entry
from headrace.batch import GATEWAY_STREAM_PREFIX
from headrace.journal import ACKS, LAKE, REGISTERED, JournalReader
from headrace.journal.lost import Lost, decode_all
from headrace.limits.ingest import ACKS_STEP_BATCHES
from headrace.ranges import Range, RangeSet

#: (device, stream), and what of it may be forgotten there.
Ranges = Mapping[tuple[str, str], list[Range]]

CURSOR: Final = ACKS


class AckAfterJournal:
    """Whatever is committed may be acknowledged."""

    def now(self, committed: Ranges, entries: Iterable[Entry]) -> Ranges:
        """What may be acknowledged of a group that has just been committed.

        Args:
            committed: what devices have sent, whether new or not.
            entries: what was new of it.
        """
        del entries
        return committed

    def later(self) -> Ranges:
        """What may be acknowledged since the last call.

        Raises:
            StorageError: the journal cannot be read at present.
        """
        return {}

    def done(self) -> None:
        """The answer of ``later`` has been sent."""

    def lost(self) -> list[Lost]:
        """What is to be forgotten here, so that devices can send it again."""
        return []

    def close(self) -> None:
        """Let go of the journal."""


class AckAfterLake(AckAfterJournal):
    """Used by the ingest thread; the journal must exist."""

    def __init__(self, journal: Path) -> None:
        self._reader = JournalReader(journal)
        self._own = self._reader.own_streams()
        self._waiting: dict[tuple[str, str], RangeSet] = {}
        self._telling_of: Ranges = {}
        self._has_moved = True
        self._reader.move_cursor(CURSOR, 0, required=True)
        self._told = self._telling = self._reader.cursor(CURSOR)
        at = self._told
        while rows := self._reader.identities(at, max_batches=ACKS_STEP_BATCHES):
            for _, device, stream, first, last in rows:
                self._wait(device, stream, first, last)
            at = rows[-1][0]
        for each in self._lost():
            self._wait(each.device, each.stream, each.first, each.last)

    def now(self, committed: Ranges, entries: Iterable[Entry]) -> Ranges:
        for entry in entries:
            last = entry.first_seq + entry.rows.num_rows - 1
            self._wait(entry.device, entry.stream, entry.first_seq, last)
        known: dict[tuple[str, str], list[Range]] = {}
        for key, ranges in committed.items():
            waiting = self._waiting.get(key)
            for first, last in ranges:
                parts = [(first, last)] if waiting is None else waiting.missing(first, last)
                if parts:
                    known.setdefault(key, []).extend(parts)
        return known

    def later(self) -> Ranges:
        registered = self._reader.cursor(REGISTERED)
        if registered <= self._told:
            return {}
        rows = self._reader.identities(self._told, up_to=registered, max_batches=ACKS_STEP_BATCHES)
        found: dict[tuple[str, str], list[Range]] = {}
        lost = {each.offset for each in self._lost()}
        for offset, device, stream, first, last in rows:
            if self._is_devices(device, stream) and offset not in lost:
                found.setdefault((device, stream), []).append((first, last))
        # The rest is for the next call: a step may end early, before what cannot be read.
        self._telling = rows[-1][0] if rows else registered
        self._telling_of = found
        return found

    def done(self) -> None:
        if self._telling == self._told:
            return
        self._reader.move_cursor(CURSOR, self._telling, required=True)
        for key, ranges in self._telling_of.items():
            self._forget(key, ranges)
        self._told = self._telling
        self._has_moved = True

    def lost(self) -> list[Lost]:
        if not self._has_moved:
            return []
        self._has_moved = False
        return [each for each in self._lost() if each.offset <= self._told]

    def close(self) -> None:
        self._reader.close()

    def _lost(self) -> list[Lost]:
        return decode_all(self._reader.state(LAKE))

    def _wait(self, device: str, stream: str, first: int, last: int) -> None:
        if self._is_devices(device, stream):
            self._waiting.setdefault((device, stream), RangeSet()).add(first, last)

    def _forget(self, key: tuple[str, str], ranges: Iterable[Range]) -> None:
        waiting = self._waiting.get(key, RangeSet())
        for first, last in ranges:
            waiting.remove(first, last)
        if not waiting:
            self._waiting.pop(key, None)

    def _is_devices(self, device: str, stream: str) -> bool:
        """Whether a device has numbered these, and so waits for an ack; "" where nobody knows whose they are."""
        return (
            bool(device)
            and not stream.startswith(GATEWAY_STREAM_PREFIX)
            and stream not in self._own
        )


def forget_acks(journal: Path) -> None:
    """Where ``ack_after`` was "lake" before: nothing has to be kept for acks any more.

    Devices that were not told yet ask again, and are answered then.
    """
    with JournalReader(journal) as reader:
        if any(name == CURSOR for name, _, _ in reader.cursors()):
            reader.forget(CURSOR)
