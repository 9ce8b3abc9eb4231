"""What the births of a session have said of its metrics, and how it is written into data. Pure.

A data message gives aliases (or names) and values. ``complete`` writes name, datatype and unit beside
them; nothing that the node has sent is taken away, so what is journalled is its payload and more.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from headrace.codecs.sparkplug import BD_SEQ, is_reading, unit_of
from headrace.codecs.sparkplug_schema import PropertySet
from headrace.errors import PayloadError

_STRING = 12


class Known(NamedTuple):
    """A metric as its birth declared it; ``properties`` name its unit, or are empty."""

    name: str
    datatype: int
    properties: bytes


class Birth:
    """The metrics of a node or a device."""

    __slots__ = ("by_alias", "by_name")

    def __init__(self, metrics: Iterable[Any] = ()) -> None:
        self.by_alias: dict[int, Known] = {}
        self.by_name: dict[str, Known] = {}
        for metric in metrics:
            if not isinstance(metric.name, str):
                continue  # not UTF-8: the birth is refused for it, and says so
            known = Known(metric.name, metric.datatype, _unit_properties(metric))
            self.by_name[known.name] = known
            if metric.HasField("alias"):
                self.by_alias[metric.alias] = known

    def __len__(self) -> int:
        return len(self.by_name)

    def complete(self, message: Any) -> bool:
        """Write into a data message what its metrics mean; False where one stays unknown."""
        for metric in message.metrics:
            known = (
                self.by_name.get(metric.name) if metric.name else self.by_alias.get(metric.alias)
            )
            if known is None:
                if says_all(metric):
                    continue
                return False
            metric.name = known.name
            if not metric.datatype:
                metric.datatype = known.datatype
            if known.properties and not metric.HasField("properties"):
                metric.properties = known.properties
        return True


def says_all(metric: Any) -> bool:
    """Whether a metric needs no birth."""
    return bool(metric.name and (metric.datatype or metric.is_null))


def has_readings(message: Any) -> bool:
    """Whether anything in it is for the journal; a birth may declare nothing but the session's own."""
    return any(map(is_reading, message.metrics))


def bd_seq(message: Any) -> int | None:
    """The number of the session that a birth or a death is of; None where it says none."""
    for metric in message.metrics:
        if metric.name == BD_SEQ:
            return int(metric.long_value or metric.int_value)
    return None


def _unit_properties(metric: Any) -> bytes:
    """The unit alone: nothing else of a birth's properties is needed with every value."""
    if not metric.HasField("properties"):
        return b""
    try:
        unit = unit_of(metric.properties)
    except PayloadError:
        return b""  # the birth is refused for it, and says so
    if not unit:
        return b""
    made = PropertySet(keys=["engUnit"])
    made.values.add(type=_STRING, string_value=unit)
    return bytes(made.SerializeToString())
