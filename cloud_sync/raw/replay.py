"""Readings made again from raw files, into a table of their own.

The same decoders and the same encoder as in a landing, so that what is different afterwards is a bug of
one of the two times, or damage. Steps of one commit::

    1. files    of up to REPLAY_COMMIT_FILES raw files, under names that follow from the table and the raw file
    2. commit   the files, and how far they reach, in the replay's table

Killed after 1, the next run writes the same names again. At most ``REPLAY_MAX_ROWS`` readings and one raw
file are in memory. Readings with odd times stay out of the table, as in a landing, and count all the same.

Quarantined payloads are tried only where that is asked for: a codec that was mended brings them back, as
readings that the lake does not have.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import pyarrow as pa

from cloud_sync.landing.parquet import DayFile, apart, encode_days, encode_odd
from cloud_sync.raw import files
from cloud_sync.raw.files import Payload, RawName
from cloud_sync.raw.repeats import Brought, without
from cloud_sync.raw.table import Asked, ReplayTable, mark_key
from headrace import codecs
from headrace.batch import is_device_id
from headrace.decodable import with_damage
from headrace.errors import PayloadError, StorageCorrupt
from headrace.journal import JournalRow
from headrace.lake.readings import as_arrival, to_table
from headrace.lake.store import Store
from headrace.limits.lake import REPLAY_COMMIT_FILES, REPLAY_MAX_ROWS
from headrace.limits.wire import MAX_PAYLOAD_ROWS

PREFIX = "replayed"
#: Of quarantined readings without an identity; the id of the payload is in the number.
STREAM = "quarantine"


@dataclass(slots=True)
class Told:
    """What a run came to: readings and files of this run, payloads that are no readings, by reason."""

    readings: int = 0
    brought_back: int = 0
    repeated: int = 0
    files: int = 0
    unreadable: Counter[str] = field(default_factory=Counter)


class Replay:
    """One replay, which may be run again until it is whole."""

    def __init__(self, store: Store, table: ReplayTable, asked: Asked) -> None:
        self._store = store
        self._table = table
        self._asked = asked
        self._shared: set[str] = set()
        self._brought = Brought()
        self.told = Told()

    def names(self) -> list[RawName]:
        """The raw files that can have payloads of what is asked for."""
        first = files.day_of(self._asked.first_us)
        last = files.day_of(self._asked.end_us - 1)
        return [
            name
            for name in files.listed(self._store, site=self._asked.site)
            if first <= name.day <= last and (self._asked.quarantined or not name.is_quarantine)
        ]

    def run(self, progress: Callable[[int], None] = lambda _: None) -> None:
        """Bring what is not in the table yet; ``progress`` is told how many raw files are done.

        Raises:
            LakeError: store, catalogue or a raw file failed; another run goes on.
        """
        marks = self._table.marks()
        for key, names in self._in_order():
            waiting = [name for name in names if name.last > marks.get(key, 0)]
            self._remember(names[: len(names) - len(waiting)])
            progress(len(names) - len(waiting))
            for start in range(0, len(waiting), REPLAY_COMMIT_FILES):
                part = waiting[start : start + REPLAY_COMMIT_FILES]
                uris = [uri for name in part for uri in self._files_of(name)]
                self._table.add(uris, {key: part[-1].last})
                progress(len(part))

    def _in_order(self) -> list[tuple[str, list[RawName]]]:
        """The raw files of each journal and its mark; of a site's journals the first that began is first."""
        groups = [list(group) for _, group in groupby(self.names(), key=_journal_of)]
        journals = Counter(names[0].site for names in groups if not names[0].is_quarantine)
        self._shared = {site for site, count in journals.items() if count > 1}
        if self._shared:
            groups.sort(key=lambda names: (names[0].is_quarantine, self._began(names[0])))
        return [
            (mark_key(names[0].site, names[0].journal, quarantine=names[0].is_quarantine), names)
            for names in groups
        ]

    def _began(self, name: RawName) -> int:
        first = next(files.decode(self._store, name), [])
        return first[0].received_at if first else 0

    def _remember(self, names: Sequence[RawName]) -> None:
        """What runs before this one have brought, where that decides what is new."""
        for name in names:
            if name.site in self._shared and not name.is_quarantine:
                for rows in self._rows(name):
                    self._brought.see(name.site, rows)

    def odd_files(self) -> list[str]:
        """Addresses of the files with odd times; they are in no table."""
        place = f"{PREFIX}/table={self._table.name}/odd"
        return [
            self._store.uri(name)
            for site in self._store.folders(place)
            for journal in self._store.folders(site)
            for name in self._store.names(journal)
        ]

    def _files_of(self, name: RawName) -> Iterator[str]:
        """Put the readings of one raw file; the addresses of those that belong in the table."""
        for part, rows in enumerate(self._rows(name)):
            table, odd = apart(self._new_of(name, rows))
            for file in encode_days(table):
                path = f"{self._place(name)}.{part:06d}.{file.day}.parquet"
                yield self._put(path, file, name)
            odd_file = encode_odd(odd)
            if odd_file is not None:
                self._put(f"{self._place(name, 'odd/')}.{part:06d}.parquet", odd_file, name)

    def _new_of(self, name: RawName, rows: list[JournalRow]) -> pa.Table:
        table = self._table_of(name.site, rows)
        if name.site not in self._shared or name.is_quarantine:
            return table
        new = without(table, self._brought.see(name.site, rows))
        self.told.repeated += table.num_rows - new.num_rows
        return new

    def _table_of(self, site: str, rows: list[JournalRow]) -> pa.Table:
        try:
            return to_table(site, rows)
        except StorageCorrupt:
            # One that does not decode must not cost the others.
            rows = with_damage(rows)
            for row in rows:
                if row.damage:
                    self.told.unreadable[f"does not decode as {row.format}"] += 1
            return to_table(site, rows)

    def _place(self, name: RawName, inside: str = "") -> str:
        start = files.QUARANTINE if name.is_quarantine else ""
        return (
            f"{PREFIX}/table={self._table.name}/{inside}site={name.site}/journal={name.journal}/"
            f"{start}{name.first:020d}-{name.last:020d}"
        )

    def _put(self, path: str, file: DayFile, name: RawName) -> str:
        self._store.put(path, file.data)
        self.told.files += 1
        if name.is_quarantine:
            self.told.brought_back += file.rows
        else:
            self.told.readings += file.rows
        return self._store.uri(path)

    def _rows(self, name: RawName) -> Iterator[list[JournalRow]]:
        """Journal rows as they were, not more than ``REPLAY_MAX_ROWS`` readings at a time."""
        found: list[JournalRow] = []
        readings = 0
        for payloads in files.decode(self._store, name):
            for row in self._chosen(payloads):
                if found and readings + row.rows > REPLAY_MAX_ROWS:
                    yield found
                    found, readings = [], 0
                found.append(row)
                readings += row.rows
        if found:
            yield found

    def _chosen(self, payloads: Sequence[Payload]) -> Iterator[JournalRow]:
        asked = self._asked
        for payload in payloads:
            if not asked.first_us <= as_arrival(payload.received_at) < asked.end_us:
                continue
            if asked.devices and payload.device not in asked.devices:
                continue
            row = _row(payload)
            if isinstance(row, JournalRow):
                yield row
            else:
                self.told.unreadable[row] += 1


def _journal_of(name: RawName) -> tuple[str, str, bool]:
    return name.site, name.journal, name.is_quarantine


def _row(payload: Payload) -> JournalRow | str:
    """The journal's row again, or why there is none."""
    if payload.kind == "batch":
        return JournalRow(
            payload.number, payload.received_at, payload.device, payload.stream, payload.first_seq,
            payload.last_seq, payload.rows, payload.format, payload.payload,
        )  # fmt: skip
    if payload.kind == "damaged":
        return "damaged in the journal"
    return _brought_back(payload)


def _brought_back(payload: Payload) -> JournalRow | str:
    """A quarantined payload as a batch, where it decodes now."""
    if not is_device_id(payload.device):
        return "quarantined: of no device"
    try:
        decoded = codecs.decode(payload.format, payload.payload, payload.received_at)
    except PayloadError as error:
        return f"quarantined: {error.reason}"
    rows = decoded.rows.num_rows
    first = decoded.first_seq if decoded.stream else payload.number * MAX_PAYLOAD_ROWS + 1
    return JournalRow(
        payload.number, payload.received_at, payload.device, decoded.stream or STREAM, first,
        first + rows - 1, rows, payload.format, payload.payload,
    )  # fmt: skip
