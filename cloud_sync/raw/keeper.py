"""Keeping payloads: what the journal and its quarantine hold, as raw files in the lake's store.

The steps are those of a landing (``cloud_sync/landing/lander.py``), with a cursor of its own::

    1. intent   the range first..last is written into the journal (consumer state of "raw")
    2. file     one object under the name that follows from the range
    3. cursor   "raw" moves to last

The cursor is required: a payload that was promised for so many days must not leave the journal before it
is kept. There is no manifest, because a range is one object. Where ``raw.days`` is 0 the cursor is
forgotten, so that it holds nothing.

Retention counts from the newest day that payloads arrived on, or from now if that is earlier: a clock
that is ahead for a moment does not empty the zone.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import msgspec

from cloud_sync.config import CloudSync
from cloud_sync.raw import files
from cloud_sync.raw.files import Payload
from headrace.clock import Clock, SystemClock
from headrace.errors import LakeError, LakeUnavailable
from headrace.journal import JournalReader, JournalRow
from headrace.lake.opening import open_store
from headrace.lake.store import Store
from headrace.limits.lake import RAW_FILE_BYTES, RAW_FILE_PAYLOADS
from headrace.metrics import Metrics
from headrace.sqlite import storage_errors

log = logging.getLogger(__name__)

CONSUMER: Final = "raw"
_INTENT: Final = "keeping"
_QUARANTINE: Final = "quarantine"
_QUARANTINE_INTENT: Final = "keeping quarantine"


class Keeper:
    """Keeps one journal's payloads."""

    def __init__(
        self, config: CloudSync, store: Store, metrics: Metrics, *, clock: Clock | None = None,
        open_journal: Callable[[Path], JournalReader] = JournalReader,
    ) -> None:  # fmt: skip
        self._lake = config.lake
        self._path = config.journal.path
        self._days = config.raw.days
        self._store = store
        self._metrics = metrics
        self._clock = clock or SystemClock()
        self._open_journal = open_journal
        self._tidied = ""

    def keep(self) -> int:
        """Keep all that is there now, and remove what is too old; returns the number of payloads."""
        if not self._path.exists():
            return 0
        with self._open_journal(self._path) as reader:
            if not self._days:
                self._let_go(reader)
                return 0
            if not reader.site:
                return 0
            kept = self._keep_batches(reader) + self._keep_quarantine(reader)
            self._tidy(reader)
        self._metrics.count("raw_payloads", kept)
        return kept

    def reopen(self) -> None:
        """Read keys and credentials anew."""
        self._store = open_store(self._lake)

    def step(self) -> int:
        """As a job of the service, which counts readings: none."""
        self.keep()
        return 0

    def _let_go(self, reader: JournalReader) -> None:
        if any(name == CONSUMER for name, _, _ in reader.cursors()):
            reader.forget(CONSUMER)
            log.info("raw: off; the journal keeps nothing for it any more")

    def _keep_batches(self, reader: JournalReader) -> int:
        reader.move_cursor(CONSUMER, 0, required=True)
        goal, kept = reader.head(), 0
        while (after := reader.cursor(CONSUMER)) < goal:
            rows = self._next(reader, after, goal)
            if not rows:
                break
            # An offset that was given out and never used is passed over with the row behind it.
            span = (after + 1, rows[-1].offset)
            reader.set_state(CONSUMER, _INTENT, msgspec.json.encode(span))
            self._put(reader, span, [_of_journal(row) for row in rows], quarantine=False)
            reader.move_cursor(CONSUMER, span[1], required=True)
            kept += len(rows)
        return kept

    def _next(self, reader: JournalReader, after: int, goal: int) -> list[JournalRow]:
        """The payloads of the next file: those that were written down, or as many as arrived on one day."""
        intent = reader.state(CONSUMER).get(_INTENT)
        if intent is not None:
            first, last = msgspec.json.decode(intent, type=tuple[int, int])
            if first == after + 1 and last > after:
                return _all(reader, after, last)
        rows = reader.read(after, up_to=goal, max_rows=RAW_FILE_PAYLOADS * 1_000, max_bytes=RAW_FILE_BYTES)  # fmt: skip
        day = files.day_of(rows[0].received_at) if rows else ""
        same = [files.day_of(row.received_at) == day for row in rows[:RAW_FILE_PAYLOADS]]
        return rows[: same.index(False) if False in same else len(same)]

    def _keep_quarantine(self, reader: JournalReader) -> int:
        kept = 0
        while rows := self._next_quarantined(reader):
            span = (rows[0].number, rows[-1].number)
            reader.set_state(CONSUMER, _QUARANTINE_INTENT, msgspec.json.encode(span))
            self._put(reader, span, rows, quarantine=True)
            reader.set_state(CONSUMER, _QUARANTINE, msgspec.json.encode(span[1]))
            kept += len(rows)
        return kept

    def _next_quarantined(self, reader: JournalReader) -> list[Payload]:
        state = reader.state(CONSUMER)
        after = msgspec.json.decode(state.get(_QUARANTINE, b"0"), type=int)
        first, last = msgspec.json.decode(state.get(_QUARANTINE_INTENT, b"[0,0]"), type=tuple[int, int])  # fmt: skip
        found = _quarantined(reader, after, last if first > after else 2**62)
        day = files.day_of(found[0].received_at) if found else ""
        same = [files.day_of(each.received_at) == day for each in found]
        return found[: same.index(False) if False in same else len(same)]

    def _put(
        self, reader: JournalReader, span: tuple[int, int], payloads: Sequence[Payload], *,
        quarantine: bool,
    ) -> None:  # fmt: skip
        day = files.day_of(payloads[0].received_at)
        path = files.path(reader.site, reader.journal_id, day, *span, quarantine=quarantine)
        self._store.put(path, files.encode(payloads))

    def _tidy(self, reader: JournalReader) -> None:
        """Remove the days that are too old; once a day, because listings cost money."""
        today = files.day_of(self._clock.now_us())
        if today == self._tidied:
            return
        try:
            self._remove_old(reader, today)
        except LakeUnavailable:
            raise
        except LakeError as error:
            log.warning("raw: what is older than %d days stays: %s", self._days, error)
        self._tidied = today

    def _remove_old(self, reader: JournalReader, today: str) -> None:
        """Needs permission to list and to delete, which not every site has."""
        places = self._store.folders(files.folder(reader.site, reader.journal_id))
        days = [place.rpartition("day=")[2] for place in places]
        newest = min(today, max(days, default=today))
        oldest = (date.fromisoformat(newest) - timedelta(days=self._days)).isoformat()
        for day in sorted(each for each in days if each < oldest):
            self._remove(files.folder(reader.site, reader.journal_id, day))

    def _remove(self, place: str) -> None:
        names = self._store.names(place)
        for name in names:
            self._store.delete(name)
        log.info("raw: removed %s (%d files)", place, len(names))


def _all(reader: JournalReader, after: int, last: int) -> list[JournalRow]:
    rows: list[JournalRow] = []
    while after < last:
        part = reader.read(after, up_to=last, max_rows=2**62, max_bytes=RAW_FILE_BYTES)
        if not part:
            break
        rows += part
        after = rows[-1].offset
    return rows


def _of_journal(row: JournalRow) -> Payload:
    kind = "damaged" if row.damage else "batch"
    return Payload(
        kind, row.offset, row.received_at, row.device, row.stream, row.first_seq, row.last_seq,
        row.rows, row.format, row.payload, detail=row.damage,
    )  # fmt: skip


def _quarantined(reader: JournalReader, after: int, last: int) -> list[Payload]:
    query = (
        "SELECT id, received_at, device, format, payload, topic, reason, detail FROM quarantine "
        "WHERE id > ? AND id <= ? ORDER BY id"
    )
    found: list[Payload] = []
    size = 0
    with (
        storage_errors("journal", reader.path),
        closing(sqlite3.connect(f"file:{reader.path}?mode=ro", uri=True, timeout=10.0)) as db,
    ):
        for number, received, device, format_name, payload, *why in db.execute(query, (after, last)):  # fmt: skip
            size += len(payload)
            if found and (size > RAW_FILE_BYTES or len(found) >= RAW_FILE_PAYLOADS):
                break
            found.append(Payload("quarantined", number, received, device, "", 0, 0, 0, format_name, bytes(payload), *why))  # fmt: skip
    return found
