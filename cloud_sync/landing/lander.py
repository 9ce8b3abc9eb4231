"""One landing: a range of the journal into the landing zone, safe against a kill between any two steps.

::

    1. encode    the range first..last becomes data files, in memory
    2. plan      the range and the checksums of its files are written into the journal (state of "lake")
    3. upload    the data files are put under names that follow from the range
    4. manifest  is created: from here on the range counts as landed
    5. cursor    the journal's cursor "lake" moves to last; the gateway may forget the rows

Killed after 2, 3 or 4, the next start finds a plan beyond the cursor: it encodes the same range again
and puts the same names, byte for byte, so it does not matter whether the manifest is there and the
files are registered; one that is there already stays. A file whose bytes are not the planned ones
(another version of the software encodes otherwise) gets a new name instead: the old one may be
registered. Nothing has to be read from the store, so a site that may only write can land.

Three ranges are on their way at a time: one is read and decoded, the one before it encoded, the one
before that uploaded, by three threads of which this one alone touches the journal.

Rows that are damaged in the journal (``headrace/damage.py``) hold nothing up: the manifest and the log
name what is lost, and the range lands without it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

import msgspec

from cloud_sync.landing.identity import seen
from cloud_sync.landing.parquet import DayFile, apart, encode_days, encode_odd
from cloud_sync.landing.steps import Bounds, Encoded, Next, Plan
from cloud_sync.landing.unpacked import within
from headrace.clock import Clock, SystemClock
from headrace.decodable import with_damage
from headrace.errors import StorageCorrupt
from headrace.journal import ACKS, LAKE, JournalReader, JournalRow, describe_damage, kept, lost
from headrace.lake.readings import to_table
from headrace.lake.store import Store
from headrace.landing import DataFile, Manifest, data_path, encode, odd_path
from headrace.limits.lake import LANDING_MAX_UNPACKED_BYTES
from headrace.wire import FORMATS

logger = logging.getLogger(__name__)

CONSUMER: Final = LAKE
_PLAN: Final = "landing"


class Lander:
    """Lands one journal, step by step."""

    def __init__(
        self, reader: JournalReader, store: Store, *, site: str, bounds: Bounds,
        clock: Clock | None = None,
    ) -> None:  # fmt: skip
        self._reader = reader
        self._store = store
        self.site = site
        self._bounds = bounds
        self._clock = clock or SystemClock()

    def attach(self) -> None:
        """Make the journal hold its rows for the lake; before the first landing."""
        self._reader.move_cursor(CONSUMER, 0, required=True)

    @property
    def cursor(self) -> int:
        """The last offset that has landed."""
        return self._reader.cursor(CONSUMER)

    @property
    def planned(self) -> int:
        """The last offset of the landing that was begun last; 0 before the first."""
        plan = self._planned()
        return plan.last if plan is not None else 0

    def next(self, after: int) -> Next | None:
        """What lands behind an offset; None when that is all. Leaves no trace."""
        plan = self._planned()
        if plan is not None and plan.last > after:
            return self.read(plan.first, plan.last, before=plan)
        rows = self._read(after, None)
        return self._decoded(after + 1, rows) if rows else None

    def read(self, first: int, last: int, *, before: Plan | None = None) -> Next:
        """A range that was planned once, whole.

        Raises:
            StorageCorrupt: the journal has it no more.
        """
        rows: list[JournalRow] = []
        after = first - 1
        # The bounds may have been lowered since the range was written down: read it in parts.
        while after < last:
            part = self._read(after, last)
            if not part or (not rows and part[0].offset != first and not part[0].damage):
                raise StorageCorrupt(
                    f"journal {self._reader.path}: offsets {after + 1}-{last} are gone",
                    hint="was the file replaced by an older copy?",
                )
            rows += part
            after = rows[-1].offset
        return self._decoded(first, rows, before)

    def encode(self, this: Next, *, attempt: int | None = None) -> Encoded:
        """The data files, day by day; the manifest says what they are, and what is not in them.

        May run beside everything else: it touches neither journal nor store. ``attempt`` asks for
        names of that number; else they follow from the plan before.
        """
        table, odd = apart(this.table)
        days, strange = list(encode_days(table)), encode_odd(odd)
        if attempt is None:
            attempt = this.before.attempt if this.before else 0
            if this.before and self._hashes(this, days, attempt) != this.before.files:
                attempt += 1
        plan = Plan(this.first, this.last, attempt, self._hashes(this, days, attempt))
        return self._named(this, plan, days, strange, readings=this.table.num_rows)

    def begin(self, encoded: Encoded) -> None:
        """Write down what lands now, and what of it cannot."""
        before = self._planned()
        self._reader.set_state(CONSUMER, _PLAN, msgspec.json.encode(encoded.plan))
        if before is None or before.first != encoded.plan.first:
            self._write_lost(encoded)

    def upload(self, encoded: Encoded) -> None:
        """Put the data files; may run beside everything else."""
        for path, data in encoded.objects:
            self._store.put(path, data)

    def finish(self, encoded: Encoded) -> None:
        """Make the landing count, and let the gateway forget the rows in a while."""
        # One that is there already stays: it may be registered.
        if self._store.create(encoded.manifest.path, encode(encoded.manifest)):
            self._write_lost(encoded)
        state = self._reader.state(CONSUMER).get(kept.KEY)
        now = kept.decode(state).landed(
            encoded.plan.last, encoded.bytes, now_s=self._clock.now_us() // 1_000_000,
            keep_s=self._bounds.keep_s, keep_bytes=self._bounds.keep_bytes,
        )  # fmt: skip
        self._reader.set_state(CONSUMER, kept.KEY, kept.encode(now))
        self._reader.move_cursor(CONSUMER, encoded.plan.last, required=True)

    def _write_lost(self, encoded: Encoded) -> None:
        """Only where devices wait for the lake. For a range that was planned before, the manifest that
        may be there decides: what has landed then must not be sent again.
        """
        if encoded.lost and any(name == ACKS for name, _, _ in self._reader.cursors()):
            for each in encoded.lost:
                self._reader.set_state(CONSUMER, each.key, lost.encode(each))

    def replace(self, encoded: Encoded) -> None:
        """Put files and manifest of a landing that is not registered in the place of damaged ones."""
        self.upload(encoded)
        self._store.put(encoded.manifest.path, encode(encoded.manifest))

    def lag(self) -> int:
        """Batches that have not landed."""
        return self._reader.head() - self._reader.cursor(CONSUMER)

    def _planned(self) -> Plan | None:
        payload = self._reader.state(CONSUMER).get(_PLAN)
        return None if payload is None else msgspec.json.decode(payload, type=Plan)

    def _decoded(self, first: int, rows: Sequence[JournalRow], before: Plan | None = None) -> Next:
        try:
            table = to_table(self.site, rows)
        except StorageCorrupt:
            rows = with_damage(rows)
            if any(row.damage and row.format not in FORMATS for row in rows if row.device):
                raise  # maybe a newer gateway's: nothing is left out that another version can read
            self._remember(rows)
            table = to_table(self.site, rows)
        damaged = tuple(describe_damage(row) for row in rows if row.damage)
        size = sum(len(row.payload) for row in rows)
        return Next(
            first,
            rows[-1].offset,
            table,
            damaged,
            seen(rows, self._reader.own_streams()),
            size,
            before,
            lost.of(rows),
        )

    def _named(
        self, this: Next, plan: Plan, days: Sequence[DayFile], odd: DayFile | None, *, readings: int
    ) -> Encoded:
        objects = [(self._path(this, file, plan.attempt), file) for file in days]
        manifest = Manifest(
            self.site, self._reader.journal_id, plan.first, plan.last,
            sum(file.rows for file in days), tuple(_claim(*each) for each in objects),
            landed_at=self._clock.now_us(), damaged=this.damaged, seen=this.seen,
        )  # fmt: skip
        if odd is not None:
            path = odd_path(self.site, self._reader.journal_id, plan.first, plan.last)
            logger.warning(
                "%d readings have odd times (before 2000, or a day ahead): in %s", odd.rows, path
            )
            manifest = msgspec.structs.replace(manifest, odd=_claim(path, odd))
            objects.append((path, odd))
        data = tuple((path, file.data) for path, file in objects)
        return Encoded(plan, manifest, data, readings, this.bytes, this.lost)

    def _hashes(self, this: Next, days: Sequence[DayFile], attempt: int) -> dict[str, str]:
        return {self._path(this, file, attempt): file.sha256 for file in days}

    def _path(self, this: Next, file: DayFile, attempt: int) -> str:
        journal = self._reader.journal_id
        return data_path(self.site, journal, this.first, this.last, file.day, attempt=attempt)

    def _read(self, after: int, up_to: int | None) -> list[JournalRow]:
        rows = self._reader.read(
            after, up_to=up_to, max_rows=self._bounds.max_rows, max_bytes=self._bounds.max_bytes
        )
        rows = within(rows, LANDING_MAX_UNPACKED_BYTES)
        self._remember(rows)
        return rows

    def _remember(self, rows: Sequence[JournalRow]) -> None:
        for row in self._reader.remember_damage(rows):
            logger.error(
                "journal: %s", describe_damage(row),
                extra={"offset": row.offset, "device": row.device, "stream": row.stream},
            )  # fmt: skip


def _claim(path: str, file: DayFile) -> DataFile:
    return DataFile(
        path, file.day, file.rows, file.data.size, file.sha256, file.min_time, file.max_time
    )
