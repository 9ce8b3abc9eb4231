"""One landing: a range of the journal into the landing zone, safe against a kill between any two steps.

::

    1. intent    the range first..last is written into the journal (consumer state of "lake")
    2. files     the data files are put under names that follow from the range
    3. manifest  is created: from here on the range counts as landed
    4. cursor    the journal's cursor "lake" moves to last; the gateway may forget the rows

Killed after 1 or 2, the next start finds an intent beyond the cursor and no manifest: it lands the
same range again and overwrites the same names; files without a manifest are read by nobody. Killed
after 3, it finds the manifest and only moves the cursor: what may be registered already is never
written again, not even with equal content. So the newest manifest of a journal must stay in place.

While 2 runs, the next range is read and decoded already, by another thread; that leaves no trace, and
two ranges are in memory at a time.

Rows that are damaged in the journal (``headrace/damage.py``) hold nothing up: the manifest and the log
name what is lost, and the range lands without it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import pyarrow as pa

from cloud_sync.landing.identity import seen
from cloud_sync.landing.parquet import DayFile, apart, encode_days, encode_odd
from headrace.decodable import with_damage
from headrace.errors import StorageCorrupt
from headrace.journal import LAKE, JournalReader, JournalRow, describe_damage
from headrace.lake.readings import READINGS_SCHEMA, to_table
from headrace.lake.store import Store
from headrace.landing import DataFile, Manifest, Seen, data_path, encode, odd_path
from headrace.wire import FORMATS

logger = logging.getLogger(__name__)

CONSUMER: Final = LAKE
_INTENT: Final = "landing"


class Span(msgspec.Struct, frozen=True):
    """Journal offsets of one landing, inclusive."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Next:
    """What lands next: its range and, unless it has landed already, its readings.

    ``damaged``: what the journal could not give any more; ``seen``: what devices have numbered of it.
    """

    span: Span
    table: pa.Table
    damaged: tuple[str, ...] = ()
    seen: tuple[Seen, ...] = ()
    has_landed: bool = False


class Lander:
    """Lands one journal, step by step."""

    def __init__(
        self, reader: JournalReader, store: Store, *, site: str, max_rows: int, max_bytes: int
    ) -> None:
        self._reader = reader
        self._store = store
        self.site = site
        self._max_rows = max_rows
        self._max_bytes = max_bytes

    def attach(self) -> None:
        """Make the journal hold its rows for the lake; before the first landing."""
        self._reader.move_cursor(CONSUMER, 0, required=True)

    @property
    def cursor(self) -> int:
        """The last offset that has landed."""
        return self._reader.cursor(CONSUMER)

    def next(self, after: int) -> Next | None:
        """What lands behind an offset; None when that is all. Leaves no trace."""
        intent = self._intent()
        if intent is not None and intent.last > after:
            return self._resume(intent)
        rows = self._read(after, None)
        if not rows:
            return None
        return self._decoded(Span(after + 1, rows[-1].offset), rows)

    def begin(self, span: Span) -> None:
        """Write down what lands now."""
        if self._intent() != span:
            self._reader.set_state(CONSUMER, _INTENT, msgspec.json.encode(span))

    def _decoded(self, span: Span, rows: Sequence[JournalRow]) -> Next:
        try:
            table = to_table(self.site, rows)
        except StorageCorrupt:
            rows = with_damage(rows)
            if any(row.damage and row.format not in FORMATS for row in rows if row.device):
                raise  # maybe a newer gateway's: nothing is left out that another version can read
            self._remember(rows)
            table = to_table(self.site, rows)
        damaged = tuple(describe_damage(row) for row in rows if row.damage)
        return Next(span, table, damaged, seen(rows, self._reader.own_streams()))

    def put_files(self, following: Next) -> Manifest:
        """Encode and put the data files, day by day; the manifest says what they are, and what is not
        in them. May run beside ``next``: it does not touch the journal.
        """
        span, (table, odd) = following.span, apart(following.table)
        files = tuple(self._put_file(span, file) for file in encode_days(table))
        return Manifest(
            self.site, self._reader.journal_id, span.first, span.last, table.num_rows, files,
            damaged=following.damaged, odd=self._put_odd(span, odd), seen=following.seen,
        )  # fmt: skip

    def _put_odd(self, span: Span, table: pa.Table) -> DataFile | None:
        """Readings whose time cannot be right: beside the table, not in a partition of it."""
        file = encode_odd(table)
        if file is None:
            return None
        path = odd_path(self.site, self._reader.journal_id, span.first, span.last)
        logger.warning(
            "%d readings have odd times (before 2000, or a day ahead): in %s", file.rows, path
        )
        return self._put(path, file)

    def put_manifest(self, manifest: Manifest) -> None:
        """Make the landing count. One that is there already stays: it may be registered."""
        self._store.create(manifest.path, encode(manifest))

    def done(self, span: Span) -> None:
        """Let the gateway forget the rows."""
        self._reader.move_cursor(CONSUMER, span.last, required=True)

    def lag(self) -> int:
        """Batches that have not landed."""
        return self._reader.head() - self._reader.cursor(CONSUMER)

    def _intent(self) -> Span | None:
        payload = self._reader.state(CONSUMER).get(_INTENT)
        return None if payload is None else msgspec.json.decode(payload, type=Span)

    def _resume(self, span: Span) -> Next:
        blank = Manifest(self.site, self._reader.journal_id, span.first, span.last, 0, ())
        if self._store.size(blank.path) is not None:
            return Next(span, READINGS_SCHEMA.empty_table(), has_landed=True)
        rows: list[JournalRow] = []
        after = span.first - 1
        # The bounds may have been lowered since the range was written down: read it in parts.
        while after < span.last:
            part = self._read(after, span.last)
            if not part:
                raise StorageCorrupt(
                    f"journal {self._reader.path}: offsets {after + 1}-{span.last} were about to "
                    "land and are gone",
                    hint="was the file replaced by an older copy?",
                )
            rows += part
            after = rows[-1].offset
        return self._decoded(span, rows)

    def _read(self, after: int, up_to: int | None) -> list[JournalRow]:
        rows = self._reader.read(
            after, up_to=up_to, max_rows=self._max_rows, max_bytes=self._max_bytes
        )
        self._remember(rows)
        return rows

    def _remember(self, rows: Sequence[JournalRow]) -> None:
        for row in self._reader.remember_damage(rows):
            logger.error(
                "journal: %s", describe_damage(row),
                extra={"offset": row.offset, "device": row.device, "stream": row.stream},
            )  # fmt: skip

    def _put_file(self, span: Span, file: DayFile) -> DataFile:
        path = data_path(self.site, self._reader.journal_id, span.first, span.last, file.day)
        return self._put(path, file)

    def _put(self, path: str, file: DayFile) -> DataFile:
        self._store.put(path, file.data)
        size = file.data.size
        return DataFile(path, file.day, file.rows, size, file.sha256, file.min_time, file.max_time)
