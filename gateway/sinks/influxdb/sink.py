"""The InfluxDB sink: what each answer of the server means for the readings that were sent.

=================  =======================================================================
answer             verdict
=================  =======================================================================
2xx                accept
400, 413, 422      some readings are refused: halve the request until each bad one is found,
                   reject those, accept the rest (writing a point twice changes nothing)
401, 403, 404      keep: a token, a bucket or a database is missing, which people mend
408, 429, 5xx      keep
no answer          keep
=================  =======================================================================

A partial write that dropped everything that was sent ("dropped=10000") is not searched: all of it is
bad. A search ends after ``INFLUXDB_MAX_PROBES`` requests; what is still together then is rejected
together. Rejected readings are in quarantine, so neither costs a reading.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import pyarrow as pa

from gateway.consumer import Rejected
from gateway.feed import Entry
from gateway.sinks.influxdb.lines import Points, points
from gateway.sinks.influxdb.write import Answer, Writer
from gateway.sinks.port import Sink
from headrace.errors import SinkUnavailable
from headrace.limits import INFLUXDB_MAX_PROBES

_REFUSES: Final = frozenset({400, 413, 422})
_DROPPED: Final = re.compile(r"dropped=(\d+)")

_HINTS: Final = {
    401: "check token_file, or username and password_file",
    403: "give this token write permission on the bucket",
    404: "create the bucket or database, or correct its name",
}

#: (first line, end line, what the server said)
Refusal = tuple[int, int, str]


class InfluxDBSink(Sink):
    """Writes readings to InfluxDB, one point a reading.

    Args:
        site: the tag ``site`` of every point.
    """

    def __init__(self, writer: Writer, *, measurement: str, site: str) -> None:
        self._writer = writer
        self._measurement = measurement
        self._site = site

    def write(self, entries: Sequence[Entry]) -> Sequence[Rejected]:
        lines, rejected = points(entries, measurement=self._measurement, site=self._site)
        refusals: list[Refusal] = []
        for first, end in lines.requests():
            refusals += self._deliver(lines, first, end)
        return [*rejected, *_rejections(entries, lines, refusals)]

    def close(self) -> None:
        self._writer.close()

    def _deliver(self, lines: Points, first: int, end: int) -> list[Refusal]:
        """Write a range of lines; the parts of it that the server refuses."""
        refusals: list[Refusal] = []
        probes = 0
        waiting = [(first, end)]
        while waiting:
            first, end = waiting.pop()
            answer = self._writer.post(lines.payload(first, end))
            probes += 1
            if not _is_refused(answer):
                continue
            if end - first == 1 or probes > INFLUXDB_MAX_PROBES or _all_dropped(answer, end - first):  # fmt: skip
                refusals.append((first, end, answer.text))
                continue
            middle = (first + end) // 2
            waiting += [(middle, end), (first, middle)]
        return refusals


def _is_refused(answer: Answer) -> bool:
    """False: accepted; True: refused.

    Raises:
        SinkUnavailable: neither; the readings are kept.
    """
    if 200 <= answer.status < 300:
        return False
    if answer.status in _REFUSES:
        return True
    raise SinkUnavailable(
        f"InfluxDB answers {answer.status}: {answer.text[:200]}",
        hint=_HINTS.get(answer.status, ""),
    )


def _all_dropped(answer: Answer, count: int) -> bool:
    dropped = _DROPPED.search(answer.text)
    return dropped is not None and int(dropped[1]) == count


def _rejections(
    entries: Sequence[Entry], lines: Points, refusals: Sequence[Refusal]
) -> list[Rejected]:
    """Refused lines back to the rows of the batches that they came from."""
    rows: defaultdict[int, list[int]] = defaultdict(list)
    details: dict[int, str] = {}
    for first, end, text in refusals:
        pairs = zip(lines.entry[first:end].tolist(), lines.row[first:end].tolist(), strict=True)
        for number, row in pairs:
            rows[number].append(row)
            details.setdefault(number, text)
    return [
        Rejected(entries[number], "refused", details[number][:500], entries[number].rows.take(pa.array(found)))
        for number, found in sorted(rows.items())
    ]  # fmt: skip
