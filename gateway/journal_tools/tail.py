"""Readings of the journal as lines, the newest first batch by batch and then as they come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
import pyarrow as pa

from gateway.journal_tools.choice import Choice
from headrace import codecs
from headrace.errors import PayloadError
from headrace.journal import JournalReader, JournalRow, describe_damage
from headrace.words import instant

#: Batches that are read at once, and that are looked through for the last readings.
_STEP: Final = 100
_LOOK_BACK: Final = 10_000
_BYTES: Final = 16 * 1024 * 1024


def newest(reader: JournalReader, choice: Choice, count: int) -> tuple[list[dict[str, Any]], int]:
    """The last ``count`` wanted readings in order of arrival, and the offset behind them."""
    head = end = reader.head()
    found: list[dict[str, Any]] = []
    while len(found) < count and end > max(0, head - _LOOK_BACK):
        start = max(0, end - _STEP)
        found = [*_between(reader, start, end, choice), *found]
        end = start
    return found[len(found) - count :] if len(found) > count else found, head


def after(reader: JournalReader, cursor: int, choice: Choice) -> tuple[list[dict[str, Any]], int]:
    """The wanted readings behind a cursor, and how far that is."""
    rows = reader.read(cursor, max_rows=100_000, max_bytes=_BYTES)
    return list(_readings(rows, choice)), rows[-1].offset if rows else cursor


def _between(
    reader: JournalReader, start: int, end: int, choice: Choice
) -> Iterator[dict[str, Any]]:
    while start < end:
        rows = reader.read(start, up_to=end, max_rows=100_000, max_bytes=_BYTES)
        if not rows:
            return
        yield from _readings(rows, choice)
        start = rows[-1].offset


def _readings(rows: Sequence[JournalRow], choice: Choice) -> Iterator[dict[str, Any]]:
    for row in rows:
        if row.damage:
            yield {"offset": row.offset, "damage": describe_damage(row)}
    for row in choice.rows(rows):
        if row.damage:
            continue
        try:
            decoded = codecs.decode(row.format, row.payload, row.received_at)
        except PayloadError as error:
            yield {"offset": row.offset, "damage": f"does not decode: {error}"}
            continue
        seqs = pa.array(range(row.first_seq, row.first_seq + decoded.rows.num_rows), pa.int64())
        table = pa.Table.from_batches([decoded.rows]).append_column("seq", seqs)
        for reading in choice.readings(table).to_pylist():
            yield {
                "offset": row.offset,
                "device": row.device,
                "name": reading["name"],
                "time": reading["time"],
                "value": reading["value"] if reading["value"] is not None else reading["text"],
                "unit": decoded.units.get(reading["name"], ""),
                "stream": row.stream,
                "seq": reading["seq"],
            }


def line(reading: dict[str, Any], *, as_json: bool) -> str:
    """One reading, or one damaged batch, as text."""
    if as_json:
        return msgspec.json.encode(reading).decode()
    if "damage" in reading:
        return f"offset {reading['offset']}: {reading['damage']}"
    value = reading["value"]
    shown = f"{value:.10g}" if isinstance(value, float) else repr(value)
    at = instant(round(reading["time"].timestamp() * 1_000_000))
    return f"{at}  {reading['device']:<16} {reading['name']:<28} {shown} {reading['unit']}".rstrip()
