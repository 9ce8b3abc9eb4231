"""The ``sparkplug`` format: a Sparkplug B payload in which every metric says its name and its type.

Births are so by themselves. In data messages nodes leave the names out and give aliases; the gateway
writes names, types and units into them before they are journalled (``gateway/sparkplug``), so that a
row of the journal means the same for every reader, without the session that it came from (decision 18).

=================================  ============================================================
metric                             reading
=================================  ============================================================
Int8 … UInt64, Float, Double       value; of an integer that float64 cannot hold the nearest, counted
Boolean                            value, 0 or 1
DateTime                           value, milliseconds since 1970 UTC
String, Text, UUID                 text
Bytes, File                        text, base64
arrays, DataSet, Template          text, JSON
null, ``bdSeq``, ``… Control/…``   none: the session's own
=================================  ============================================================

Times are the metric's, or the payload's, or that of arrival. The property ``engUnit`` is the unit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa

from headrace.codecs.columns import MAX_TIME_US, TIME_TYPE, Decoded, checked
from headrace.codecs.sparkplug_schema import PropertySet, parse, parse_part
from headrace.codecs.sparkplug_values import Reading, reading_of, utf8
from headrace.errors import PayloadError
from headrace.limits.wire import MAX_DECODED_BYTES

#: Metrics that speak of the session, not of the plant.
BD_SEQ: Final = "bdSeq"
NODE_CONTROL: Final = "Node Control/"
DEVICE_CONTROL: Final = "Device Control/"
_OWN: Final = (NODE_CONTROL, DEVICE_CONTROL)

UNIT_PROPERTIES: Final = ("engUnit", "units")


def decode(payload: bytes, received_us: int) -> Decoded:
    """Decode a payload with names; it has no identity."""
    message = parse(payload)
    default_ms = message.timestamp if message.HasField("timestamp") else received_us // 1_000
    names: list[str] = []
    times: list[int] = []
    readings: list[Reading] = []
    units: dict[str, str] = {}
    for metric in message.metrics:
        name = utf8(metric.name)
        if not name:
            _refuse_unnamed(metric)
        if not is_reading(metric):
            continue
        names.append(name)
        times.append(metric.timestamp if metric.HasField("timestamp") else default_ms)
        readings.append(reading_of(metric))
        if metric.HasField("properties"):
            unit = unit_of(metric.properties)
            if unit:
                units[name] = unit
    return _columns(names, times, readings, units)


def is_reading(metric: Any) -> bool:
    """Whether a metric is one, and not null nor the session's own."""
    name = metric.name
    return not (metric.is_null or name == BD_SEQ or (type(name) is str and name.startswith(_OWN)))


def _refuse_unnamed(metric: Any) -> None:
    alias = metric.alias if metric.HasField("alias") else None
    raise PayloadError(
        "bad_schema",
        "a metric has no name" if alias is None else f"nobody has said what alias {alias} means",
        hint="the node must send its birth (NBIRTH, DBIRTH) first",
    )


def _columns(
    names: list[str], times_ms: list[int], readings: list[Reading], units: Mapping[str, str]
) -> Decoded:
    if sum(map(len, names)) > MAX_DECODED_BYTES:
        raise PayloadError("bomb", f"the names may come to {MAX_DECODED_BYTES} characters")
    if times_ms and max(times_ms) > MAX_TIME_US // 1_000:
        raise PayloadError(
            "bad_value", f"{max(times_ms)} is no time in milliseconds since 1970 UTC"
        )
    values = [None if type(each) is str else float(each) for each in readings]
    widened = Counter(name for name, each in zip(names, readings, strict=True) if type(each) is int)
    texts = [each if type(each) is str else None for each in readings]
    try:
        return checked(
            pa.array(names, pa.utf8()).dictionary_encode(),
            pa.array([time * 1_000 for time in times_ms], pa.int64()).cast(TIME_TYPE),
            pa.array(values, pa.float64()),
            pa.array(texts, pa.utf8()),
            units=units,
            widened=dict(widened),
        )
    except UnicodeEncodeError as error:
        raise PayloadError("bad_value", f"a text is not valid Unicode: {error}") from error


def unit_of(properties: bytes) -> str:
    """The unit that a metric's properties name; empty where they name none.

    Raises:
        PayloadError: they are no properties.
    """
    found = parse_part(PropertySet, properties)
    for key, value in zip(found.keys, found.values, strict=False):
        if key in UNIT_PROPERTIES and value.string_value:
            return utf8(value.string_value)
    return ""
