"""The InfluxDB sink: what each answer of the server means for the readings that were sent.

=================  =======================================================================
answer             verdict
=================  =======================================================================
2xx                accept
400, 413, 422      some readings are refused: ``partial`` finds out which, or the request is halved
                   until each is found; reject those, accept the rest
401, 403, 404      keep: a token, a bucket or a database is missing, which people mend
408, 429, 5xx      keep
no answer          keep
=================  =======================================================================

A search ends after ``SINK_MAX_PROBES`` requests; what is still together then is rejected together.
Rejected readings are in quarantine, so that costs none.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from gateway.consumer import Rejected
from gateway.feed import Entry
from gateway.sinks.influxdb.lines import Points, points
from gateway.sinks.influxdb.partial import take_apart
from gateway.sinks.influxdb.write import Answer, Writer
from gateway.sinks.port import Sink
from gateway.sinks.search import ACCEPTED, Items, Refusal, Result, deliver
from headrace.errors import SinkUnavailable
from headrace.limits.sinks import SINK_MAX_PROBES

_REFUSES: Final = frozenset({400, 413, 422})

_HINTS: Final = {
    401: "check token_file, or username and password_file",
    403: "give this token write permission on the bucket",
    404: "create the bucket or database, or correct its name",
}


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
        for items in lines.requests():
            refusals += deliver(items, partial(self._attempt, lines), most=SINK_MAX_PROBES)
        return [*rejected, *lines.columns.refusals(refusals)]

    def probe(self) -> str:
        # A request without a line: whoever may not write is told so, and nobody is given a point.
        answer = self._writer.post(b"")
        _is_refused(answer)
        return f"answers {answer.status}"

    def close(self) -> None:
        self._writer.close()

    def _attempt(self, lines: Points, items: Items) -> Result:
        answer = self._writer.post(lines.payload(items))
        return take_apart(items, answer.text) if _is_refused(answer) else ACCEPTED


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
