"""One group on its way: gathered in memory, written in as few statements as can be."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from gateway.consumer import Derived, Rejected
from gateway.feed import Entry
from gateway.ingest.dedup import Seen, Stage
from gateway.ingest.inbox import Submission
from gateway.ingest.reading import Accepted, Refused, read
from gateway.journal.keys import DeviceKey, Keys
from headrace.codecs import arrow
from headrace.codecs.columns import memory_of
from headrace.errors import PayloadError
from headrace.journal import LAKE
from headrace.journal.lost import Lost
from headrace.journal.rows import checksum
from headrace.ranges import Range

_INSERT_BATCH = "INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


@dataclass(slots=True)
class Committed:
    """What one transaction put on disk.

    ``acks``: ranges by (device, stream), duplicates included, because they are on disk too.
    """

    entries: list[Entry] = field(default_factory=list)
    acks: dict[tuple[str, str], list[Range]] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    duplicates: int = 0


class Transaction:
    """One group on its way: rows are gathered first and written in as few statements as can be."""

    def __init__(
        self, db: sqlite3.Connection, seen: Seen, keys: Keys, head: int, unnamed: str, derived: str,
        keyed: str, now_us: int,
    ) -> None:  # fmt: skip
        self._db = db
        self._keys = keys
        self._unnamed_stream = unnamed
        self._derived_stream = derived
        self._keyed_stream = keyed
        self._now_us = now_us
        self._rows: list[tuple[object, ...]] = []
        self._devices: dict[str, int] = {}
        self._quarantine: list[tuple[int, str, str, str, str, str, bytes]] = []
        self._submissions: list[Submission] = []
        self._forgotten: list[str] = []
        self.stage = Stage(seen)
        self.keyed: dict[DeviceKey, int] = {}
        self.head = head
        self.committed = Committed()

    def add_batch(self, batch: Accepted) -> None:
        """A batch of a device: only what is new of it becomes rows."""
        new = [self.stage.add_place(place) for place in batch.places]
        if all(new):
            self._add_new(batch)
        elif any(new):
            self._add_some(batch, new)
        else:
            self.committed.duplicates += batch.decoded.rows.num_rows

    def _add_some(self, batch: Accepted, new: Sequence[bool]) -> None:
        """Of several messages that were gathered some came before: take them one by one."""
        for arrival, is_new in zip(batch.arrivals, new, strict=True):
            single = read(arrival)
            if isinstance(single, Refused):
                self._add_to_quarantine(single)
            elif is_new:
                self._add_new(single)
            else:
                self.committed.duplicates += single.decoded.rows.num_rows

    def _add_new(self, batch: Accepted) -> None:
        decoded = batch.decoded
        stream, first = decoded.stream, decoded.first_seq
        try:
            if stream is None:
                if batch.key is not None and self._is_repeated(batch, batch.key):
                    self.committed.duplicates += decoded.rows.num_rows
                    return
                told = batch.key is not None or bool(batch.places)
                stream = self._keyed_stream if told else self._unnamed_stream
                first = self.stage.next_seq(batch.device, stream)
            self.stage.check_stream(batch.device, stream)
            last = first + decoded.rows.num_rows - 1
            new = self.stage.add(batch.device, stream, first, last)
        except PayloadError as error:
            for arrival in batch.arrivals:
                self._add_to_quarantine(Refused(arrival, error))
            return
        self._devices[batch.device] = batch.received_at
        if decoded.stream is not None and batch.answered:
            self.committed.acks.setdefault((batch.device, stream), []).append((first, last))
        for part in new:
            self._add_part(batch, stream, first, part)
        self.committed.duplicates += decoded.rows.num_rows - sum(b - a + 1 for a, b in new)

    def _is_repeated(self, batch: Accepted, key: bytes) -> bool:
        """Whether the same came under this key before; if not, the key is remembered.

        Raises:
            PayloadError: something else came under it.
        """
        crc = checksum(batch.payload)
        known = self.keyed.get((batch.device, key), self._keys.find((batch.device, key)))
        if known is None:
            self.keyed[batch.device, key] = crc
        elif known != crc:
            raise PayloadError(
                "bad_identity",
                "another payload came under this Idempotency-Key",
                hint="a key is for one request and its repetitions",
            )
        return known is not None

    def _add_part(self, batch: Accepted, stream: str, first: int, part: Range) -> None:
        decoded, whole = batch.decoded, (first, first + batch.decoded.rows.num_rows - 1)
        rows, payload, format_name = decoded.rows, batch.payload, batch.format
        if part != whole:
            # Some of it was here before: keep the new part alone, so that a row's payload is
            # exactly its range for every reader.
            rows = decoded.rows.slice(part[0] - first, part[1] - part[0] + 1)
            format_name = "arrow"
            payload = arrow.encode(
                rows, stream=stream if decoded.stream else None, first_seq=part[0],
                units=decoded.units, boot=decoded.boot, clock=decoded.clock,
            )  # fmt: skip
        entry = Entry(
            self._next_offset(), batch.received_at, batch.device, stream, part[0], rows,
            decoded.units, decoded.clock, batch.size, tuple(decoded.widened),
        )  # fmt: skip
        self._add_row(entry, format_name, payload)

    def add_submission(self, submission: Submission) -> None:
        """A consumer's results, rejections, state and cursor."""
        self._submissions.append(submission)
        for derived in submission.outcome.derived:
            self._add_derived(derived)
        for rejected in submission.outcome.rejected:
            self._add_rejected(submission.consumer, rejected)

    def _add_derived(self, derived: Derived) -> None:
        stream = self._derived_stream
        first = self.stage.next_seq(derived.device, stream)
        self.stage.add(derived.device, stream, first, first + derived.rows.num_rows - 1)
        payload = arrow.encode(derived.rows, stream=stream, first_seq=first, units=derived.units)
        entry = Entry(
            self._next_offset(), self._now_us, derived.device, stream, first, derived.rows,
            derived.units, size=memory_of(derived.rows),
        )  # fmt: skip
        self._add_row(entry, "arrow", payload)

    def _add_row(self, entry: Entry, format_name: str, payload: bytes) -> None:
        rows = entry.rows.num_rows
        self._rows.append(
            (entry.offset, entry.received_at, entry.device, entry.stream, entry.first_seq,
             entry.first_seq + rows - 1, rows, format_name, checksum(payload), payload)
        )  # fmt: skip
        self.committed.entries.append(entry)

    def _next_offset(self) -> int:
        self.head += 1
        return self.head

    def add_refused(self, refused: Refused) -> None:
        """A payload that is refused for good."""
        place = refused.arrival.place
        if place is None or self.stage.add_place(place):
            self._add_to_quarantine(refused)

    def _add_to_quarantine(self, refused: Refused) -> None:
        self.committed.refused.append(refused)
        arrival = refused.arrival
        self._quarantine.append(
            (arrival.received_at, arrival.source[:512], refused.device, refused.format,
             refused.error.reason, refused.error.message[:1000], arrival.payload)
        )  # fmt: skip

    def _add_rejected(self, consumer: str, rejected: Rejected) -> None:
        entry, rows = rejected.entry, rejected.rows
        payload = arrow.encode(
            entry.rows if rows is None else pa.RecordBatch.from_arrays(rows.columns, schema=rows.schema),
            stream=None, first_seq=0, units=entry.units,
        )  # fmt: skip
        self._quarantine.append(
            (self._now_us, consumer, entry.device, "arrow", rejected.reason,
             rejected.detail[:1000], payload)
        )  # fmt: skip

    @property
    def quarantined(self) -> tuple[int, int]:
        """Payloads that go into quarantine, and about their bytes."""
        return len(self._quarantine), sum(
            len(topic) + len(detail) + len(payload)
            for _, topic, _, _, _, detail, payload in self._quarantine
        )

    def forget(self, lost: Lost) -> None:
        """A row that devices have to send again."""
        self.stage.remove(lost.device, lost.stream, lost.first, lost.last)
        self._forgotten.append(lost.key)

    def write(self) -> None:
        """Put all that was gathered into the open transaction."""
        db = self._db
        db.executemany(_INSERT_BATCH, self._rows)
        for (device, stream), gone, new in self.stage.row_changes():
            db.executemany(
                "DELETE FROM ranges WHERE device = ? AND stream = ? AND first = ?",
                [(device, stream, first) for first, _ in gone],
            )
            db.executemany(
                "INSERT INTO ranges VALUES (?, ?, ?, ?)",
                [(device, stream, first, last) for first, last in new],
            )
        db.executemany(
            "INSERT INTO devices VALUES (?1, ?2, ?2) ON CONFLICT (device) DO UPDATE "
            "SET last_received_at = max(last_received_at, excluded.last_received_at)",
            self._devices.items(),
        )
        db.executemany(
            "INSERT INTO quarantine (received_at, topic, device, format, reason, detail, payload) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            self._quarantine,
        )
        db.executemany(
            "DELETE FROM consumer_state WHERE consumer = ? AND key = ?",
            [(LAKE, key) for key in self._forgotten],
        )
        self._keys.insert(self.keyed)
        for submission in self._submissions:
            self._write_submission(submission)

    def _write_submission(self, submission: Submission) -> None:
        name, state = submission.consumer, submission.outcome.state
        self._db.executemany(
            "INSERT OR REPLACE INTO consumer_state VALUES (?, ?, ?)",
            [(name, key, value) for key, value in state.items() if value is not None],
        )
        self._db.executemany(
            "DELETE FROM consumer_state WHERE consumer = ? AND key = ?",
            [(name, key) for key, value in state.items() if value is None],
        )
        self._db.execute(
            "INSERT INTO cursors VALUES (?, ?, ?) "
            "ON CONFLICT (consumer) DO UPDATE SET offset = excluded.offset",
            (name, submission.offset, int(submission.required)),
        )
