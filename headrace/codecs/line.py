r"""InfluxDB line protocol, as Telegraf and its like send it.

``measurement[,tag=value…] field=value[,field=value…] [time]``

A field becomes the series ``measurement.field``; tags are kept as ``;key=value`` pairs sorted by key
(the Graphite tag convention). Integers end in ``i`` or ``u``, booleans are t/T/true/f/F/false, strings
stand in double quotes; comments start with ``#``; a line without a time happened when it arrived. One
bad line refuses the batch: a sender must not believe that half of it was kept.

Two readers that agree byte for byte: ``line_columns`` takes a whole payload in one pass over its bytes
and gives up on anything that it is not sure of; ``line_exact`` is the grammar, takes the rest, and is
the one that refuses.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

from headrace.codecs import line_columns, line_exact
from headrace.codecs.columns import Decoded
from headrace.errors import PayloadError


class Unit(NamedTuple):
    """What turns a time into microseconds: multiply, then divide and round down."""

    multiply: int
    divide: int


#: Format names by the ``precision`` of an InfluxDB write request (v1 and v2 say the first two in
#: several ways). The unit is part of the format's name, because that travels with the payload through
#: journal, quarantine and replay.
FORMAT_OF_PRECISION: Final = {
    "ns": "line", "n": "line", "us": "line-us", "u": "line-us", "µ": "line-us", "ms": "line-ms",
    "s": "line-s", "m": "line-m", "h": "line-h",
}  # fmt: skip

UNITS: Final = {
    "line": Unit(1, 1_000),
    "line-us": Unit(1, 1),
    "line-ms": Unit(1_000, 1),
    "line-s": Unit(1_000_000, 1),
    "line-m": Unit(60_000_000, 1),
    "line-h": Unit(3_600_000_000, 1),
}

#: Bytes from which the pass over the whole payload is faster than one line after the other.
COLUMNS_FROM_BYTES: Final = 5_000


def decode(payload: bytes, received_us: int, unit: Unit = UNITS["line"]) -> Decoded:
    """Decode lines; times are rounded down to microseconds."""
    try:
        text = payload.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PayloadError("broken_frame", f"line protocol is UTF-8: {error}") from error
    if len(payload) >= COLUMNS_FROM_BYTES:
        found = line_columns.decode(payload, received_us, *unit)
        if found is not None:
            return found
    return line_exact.decode(text, received_us, *unit)


DECODERS: Final[dict[str, Callable[[bytes, int], Decoded]]] = {
    name: partial(decode, unit=unit) for name, unit in UNITS.items()
}
