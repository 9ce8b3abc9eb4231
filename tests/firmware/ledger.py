"""What a device sampled, by its own book, against what the gateway has journalled."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from headrace import codecs
from headrace.journal import JournalReader

Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Readings by (stream, seq)."""

    sampled: int
    lost: list[Key]
    changed: list[Key]
    duplicated: list[Key]
    unbooked: list[Key]


def lines(ledger: Path) -> int:
    """How many readings are booked."""
    return ledger.read_bytes().count(b"\n") if ledger.exists() else 0


def journalled(journal: Path) -> int:
    """How many readings the gateway has."""
    if not journal.exists():
        return 0
    with JournalReader(journal) as reader:
        return sum(row.rows for row in reader.read(0, max_rows=10**9, max_bytes=10**9))


def compare(ledger: Path, journal: Path, device: str) -> Comparison:
    """The book against the journal; a line is ``stream seq value``.

    A kill may tear the last line and may come between flash and book: such readings are in the
    journal and not in the book.
    """
    booked: dict[Key, float] = {}
    for line in ledger.read_text(encoding="ascii").splitlines():
        words = line.split(" ")
        if len(words) == 4 and words[3] == ".":
            booked[words[0], int(words[1])] = float(words[2])
    arrived: dict[Key, float] = {}
    times: Counter[Key] = Counter()
    for key, value in _journal(journal, device):
        times[key] += 1
        arrived[key] = value
    return Comparison(
        sampled=len(booked),
        lost=[key for key in booked if key not in arrived],
        changed=[key for key, value in booked.items() if arrived.get(key, value) != value],
        duplicated=[key for key, count in times.items() if count > 1],
        unbooked=[key for key in arrived if key not in booked],
    )


def _journal(journal: Path, device: str) -> list[tuple[Key, float]]:
    found = []
    with JournalReader(journal) as reader:
        for row in reader.read(0, max_rows=10**9, max_bytes=10**9):
            if row.device != device:
                continue
            decoded = codecs.decode(row.format, row.payload, row.received_at)
            values = decoded.rows.column("value").to_pylist()
            # A journal row may be the part of a payload that was new.
            skipped = row.first_seq - decoded.first_seq
            for index in range(row.rows):
                found.append(((row.stream, row.first_seq + index), values[skipped + index]))
    return found
