"""Journal rows that do not decode, as damaged ones. Needs pyarrow: not for the agent.

The checksum of a row is about its payload. A byte that flips in front of it, in the format or in the
count of readings, leaves a payload that is sound and is not what the row says: to whoever wants
readings that is damage like any. It is looked for when decoding has failed, so it costs nothing before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from headrace import codecs
from headrace.errors import PayloadError
from headrace.journal import JournalRow


def with_damage(rows: Sequence[JournalRow]) -> list[JournalRow]:
    """The same rows, those that do not decode marked as damaged and without payload."""
    return [
        replace(row, payload=b"", damage=problem) if (problem := _problem(row)) else row
        for row in rows
    ]


def _problem(row: JournalRow) -> str:
    if row.damage:
        return ""
    try:
        found = codecs.decode(row.format, row.payload, row.received_at).rows.num_rows
    except PayloadError as error:
        return f"the payload does not decode as {row.format[:40]}: {error.message}"
    if found != row.rows:
        return f"the payload holds {found} readings, the row says {row.rows}"
    return ""
