"""The types and units that each series has had, and whether its integers outgrew float64. Pure.

A series is followed from its first reading. A second type or another unit is noticed once: a device that
sends both in turns says so twice and not in every batch. No unit is not another unit: senders leave it
out where they have said it before. The first integer of a series that has no float64 of its own is noticed
too: from there on differences of its values are off by up to half the distance of two floats.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final, Literal

import msgspec

from headrace.limits.consumers import SCHEMA_MAX_SERIES, SCHEMA_MAX_UNITS

Type = Literal["number", "text"]


class Notice(msgspec.Struct, frozen=True):
    """A series has become something else, too; ``old`` is what it was before, maybe several things."""

    what: Literal["type", "unit", "precision"]
    series: str
    old: str
    new: str


class Series(msgspec.Struct, frozen=True, array_like=True):
    """What one series has been; equal ones are one object."""

    types: tuple[Type, ...] = ()
    units: tuple[str, ...] = ()
    widened: bool = False


_NEW: Final = Series()
_decoder = msgspec.msgpack.Decoder(dict[str, Series])


class Known:
    """All series of all devices, up to a bound; beyond it new ones are not followed."""

    def __init__(self) -> None:
        self._devices: dict[str, dict[str, Series]] = {}
        self._same: dict[Series, Series] = {}
        self.count = 0

    def look(
        self,
        device: str,
        types: Mapping[str, Iterable[Type]],
        units: Mapping[str, str],
        widened: Collection[str] = (),
    ) -> tuple[list[Notice], bool]:
        """What is noticed about a batch, and whether anything has changed.

        Args:
            types: of each series that is in it.
            units: of those that have one.
            widened: those with integers that have no float64 of their own.
        """
        known = self._devices.setdefault(device, {})
        notices: list[Notice] = []
        changed = False
        for name, found in types.items():
            before = known.get(name)
            if before is None:
                if self.count >= SCHEMA_MAX_SERIES:
                    continue
                self.count += 1
            after = _joined(before or _NEW, found, units.get(name, ""), name in widened)
            if after is not before:
                known[name] = self._same.setdefault(after, after)
                changed = True
                if before is not None:
                    notices += _notices(name, before, after)
                elif after.widened:
                    notices.append(_precision(name))
        return notices, changed

    def encode(self, device: str) -> bytes:
        """What is known of a device, to be stored."""
        return msgspec.msgpack.encode(self._devices[device])

    def restore(self, device: str, stored: bytes) -> None:
        """Take back what was stored."""
        found = {
            name: self._same.setdefault(series, series)
            for name, series in _decoder.decode(stored).items()
        }
        self._devices[device] = found
        self.count += len(found)


def _joined(before: Series, types: Iterable[Type], unit: str, widened: bool) -> Series:
    """The same object where there is nothing new."""
    more = widened and not before.widened
    if before.types == types and (not unit or unit in before.units) and not more:
        return before
    new = tuple(each for each in types if each not in before.types)
    is_new_unit = bool(unit) and unit not in before.units and len(before.units) < SCHEMA_MAX_UNITS
    if not new and not is_new_unit and not more:
        return before
    units = before.units + ((unit,) if is_new_unit else ())
    return Series(before.types + new, units, before.widened or widened)


def _notices(name: str, before: Series, after: Series) -> Iterable[Notice]:
    for new in after.types[len(before.types) :]:
        yield Notice("type", name, ", ".join(before.types), new)
    # The first unit of a series that had none is no conflict.
    if before.units:
        for unit in after.units[len(before.units) :]:
            yield Notice("unit", name, ", ".join(before.units), unit)
    if after.widened and not before.widened:
        yield _precision(name)


def _precision(name: str) -> Notice:
    return Notice("precision", name, "exact", "the nearest float64 (integers beyond 2^53)")
