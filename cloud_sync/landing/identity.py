"""Which readings a landing brings, by the names that their devices gave them.

A manifest says it, so that a registrar can tell readings that come again through another journal
(``cloud_sync/lake/once.py``) without reading a data file. What the gateway has numbered itself is left out: another
journal numbers in streams of its own. What is damaged is left out, too: it has not landed.
"""

from __future__ import annotations

from collections.abc import Container, Iterable

from headrace.batch import GATEWAY_STREAM_PREFIX
from headrace.journal import JournalRow
from headrace.landing import Seen
from headrace.ranges import RangeSet


def seen(rows: Iterable[JournalRow], own: Container[str]) -> tuple[Seen, ...]:
    """The ranges of journal rows; ``own`` are streams whose numbers the gateway gives."""
    found: dict[tuple[str, str], RangeSet] = {}
    for row in rows:
        if row.damage or row.stream in own or row.stream.startswith(GATEWAY_STREAM_PREFIX):
            continue
        found.setdefault((row.device, row.stream), RangeSet()).add(row.first_seq, row.last_seq)
    return tuple(Seen(*key, tuple(ranges.pairs())) for key, ranges in sorted(found.items()))
