"""Ordinary SenML packs as columns, without a step in Python per reading.

Ordinary is what devices send all day: base fields in the first record only, then records of ``n``,
``u``, ``v`` and ``t``. Everything else (sums, booleans, texts, base values, numbers near 2^53, a series
that changes its unit) is for ``senml`` and its pass over the records: it is what a pack means, and the
functions here answer None or give up with ``Unusual`` where they could mean something else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from headrace.codecs.columns import MAX_EXACT, TIME_TYPE, Decoded, checked
from headrace.errors import PayloadError
from headrace.limits.wire import MAX_DECODED_BYTES


class Unusual(Exception):
    """Not an ordinary pack."""


class First(NamedTuple):
    """What the first record says for all: base fields and identity."""

    bn: str
    bt: float | None
    bu: str | None
    stream: str | None
    seq: int


class Plain(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A record of a value and nothing unusual."""

    v: float
    n: str = ""
    u: str | None = None
    t: float = 0.0


class Fields(NamedTuple):
    """The records' fields, side by side."""

    names: list[str]
    units: list[str | None]
    values: list[float]
    times: list[float]

    def put_first(self, name: str, unit: str | None, value: float, time: float) -> None:
        """One record more, in front of the others."""
        self.names.insert(0, name)
        self.units.insert(0, unit)
        self.values.insert(0, value)
        self.times.insert(0, time)


_plain: Final = msgspec.json.Decoder(list[Plain])


def split_json(payload: bytes) -> tuple[bytes, bytes]:
    """The first record of a pack, and an array of the others.

    Whether both are valid JSON is left to the decoder; together they are, if the whole was.
    """
    end = payload.find(b"}") + 1
    if not end or payload[:1] != b"[" or payload[end : end + 1] != b",":
        raise Unusual
    return payload[1:end], b"[" + payload[end + 1 :]


def fields_of_json(array: bytes) -> Fields:
    """The records of an array; at least one, because a comma stood before it."""
    try:
        records = _plain.decode(array)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Unusual from error
    if not records:
        raise Unusual
    return Fields(
        [record.n for record in records],
        [record.u for record in records],
        [record.v for record in records],
        [record.t for record in records],
    )


_N, _U, _V, _T = 0, 1, 2, 6
_ORDINARY: Final = frozenset((_N, _U, _V, _T))


def fields_of_maps(maps: Sequence[Mapping[Any, Any]]) -> Fields:
    """The records of a CBOR pack; labels are small integers there."""
    if not maps or not _ORDINARY.issuperset(set().union(*maps)):
        raise Unusual
    try:
        values = [record[_V] for record in maps]
    except KeyError:
        raise Unusual from None
    fields = Fields(
        [record.get(_N, "") for record in maps],
        [record.get(_U) for record in maps],
        values,
        [record.get(_T, 0.0) for record in maps],
    )
    numbers = set(map(type, values)).union(map(type, fields.times))
    if not (
        numbers <= {int, float}
        and set(map(type, fields.names)) == {str}
        and set(map(type, fields.units)) <= {str, type(None)}
    ):
        raise Unusual
    return fields


def decoded(first: First, fields: Fields, received_us: int, relative_below: int) -> Decoded:
    """The readings of the records behind ``first``, whose base fields hold for all.

    Raises:
        Unusual: the pack might mean something else.
    """
    try:
        name = pa.array(fields.names, pa.utf8()).dictionary_encode()
        if len(first.bn) * len(name.dictionary) > MAX_DECODED_BYTES // 4:
            raise Unusual
        values = np.array(fields.values, np.float64)
        times = _times(first.bt or 0.0, np.array(fields.times, np.float64), relative_below)
        if not (np.abs(values) < MAX_EXACT).all() or (np.signbit(values) & (values == 0)).any():
            raise Unusual
        names = [first.bn + each for each in name.dictionary.to_pylist()]
        return checked(
            pa.DictionaryArray.from_arrays(name.indices, pa.array(names, pa.utf8())),
            pa.array(np.where(times.relative, received_us + times.us, times.us)).cast(TIME_TYPE),
            pa.array(values),
            pa.nulls(len(values), pa.utf8()),
            stream=first.stream,
            first_seq=first.seq,
            units=_units(first, fields, len(names)),
        )
    except (OverflowError, ValueError, PayloadError) as error:
        raise Unusual from error


class _Times(NamedTuple):
    us: NDArray[np.int64]
    relative: NDArray[np.bool_]


def _times(base: float, times: NDArray[np.float64], relative_below: int) -> _Times:
    """Microseconds, rounded half to even as Python does; exact, because nothing reaches 2^53."""
    seconds = base + times
    us = np.rint(seconds * 1_000_000)
    if abs(base) >= MAX_EXACT or not (np.abs(us) < MAX_EXACT).all():
        raise Unusual
    return _Times(us.astype(np.int64), seconds < relative_below)


def _units(first: First, fields: Fields, names: int) -> dict[str, str]:
    """The unit of each series, where it has one and no more than one."""
    pairs = set(zip(fields.names, fields.units, strict=True))
    if len(pairs) > names:
        raise Unusual
    units = {first.bn + name: unit or first.bu for name, unit in pairs}
    return {name: unit for name, unit in units.items() if unit}
