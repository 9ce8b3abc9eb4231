"""What the records of SenML packs mean: base fields resolved in one pass, readings on their way into columns."""

from __future__ import annotations

import math
from typing import Final

import pyarrow as pa

from headrace.codecs.columns import MAX_EXACT, MAX_TIME_US, TIME_TYPE, Decoded, checked
from headrace.codecs.senml_records import MAX_VERSION, Number, Record
from headrace.errors import PayloadError
from headrace.limits.wire import MAX_DECODED_BYTES

#: Times below this are seconds relative to now (RFC 8428, section 4.5.3).
RELATIVE_BELOW: Final = 2**28


class Columns:
    """Readings of packs on their way into columns."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.times: list[int] = []
        self.values: list[float | None] = []
        self.texts: list[str | None] = []
        self.units: dict[str, str] = {}
        self.widened: dict[str, int] = {}
        self._chars = 0  # of names: a long prefix makes a small pack large

    def add(self, name: str, time: int, value: float | None, text: str | None, unit: str) -> None:
        self._chars += len(name)
        if self._chars > MAX_DECODED_BYTES:
            raise PayloadError(
                "bomb", f"the names of a pack may come to {MAX_DECODED_BYTES} characters"
            )
        self.names.append(name)
        self.times.append(time)
        self.values.append(value)
        self.texts.append(text)
        if unit:
            self.units[name] = unit

    def number(self, name: str, one: Number, other: Number) -> float:
        """Two numbers of a pack for a series, added up; integers become the float64 nearest to them.

        Raises:
            PayloadError: one is beyond float64, or they come to more than there is.
        """
        lost = _is_inexact(one) or _is_inexact(other)
        total = _finite(_finite(one) + _finite(other))
        if lost:
            self.widened[name] = self.widened.get(name, 0) + 1
        return total

    def cut(self, count: int) -> None:
        """Keep the first ``count`` readings."""
        for column in (self.names, self.times, self.values, self.texts):
            del column[count:]

    def add_pack(self, records: list[Record], received_us: int) -> None:
        """All readings of a pack, base fields resolved.

        Raises:
            PayloadError: a record breaks the format; the columns hold a part of the pack then.
        """
        base = Record()
        for record in records:
            _carry_base(base, record)
            _add_readings(self, base, record, received_us)

    def arrays(self) -> tuple[pa.Array, pa.Array, pa.Array, pa.Array]:
        """Name, time, value and text.

        Raises:
            PayloadError: a text is not valid Unicode, a time beyond all calendars.
        """
        try:
            name = pa.array(self.names, pa.utf8()).dictionary_encode()
            text = pa.array(self.texts, pa.utf8())
            time = pa.array(self.times, pa.int64()).cast(TIME_TYPE)
        except (UnicodeEncodeError, pa.ArrowInvalid) as error:
            raise PayloadError("bad_value", f"a text is not valid Unicode: {error}") from error
        except OverflowError as error:
            raise PayloadError("bad_value", f"a time is beyond 64 bits: {error}") from error
        return name, time, pa.array(self.values, pa.float64()), text


def resolve(records: list[Record], received_us: int) -> Decoded:
    """The readings of any pack, record by record: what it means."""
    if not records:
        raise PayloadError("bad_schema", "a SenML pack has at least one record")
    columns = Columns()
    columns.add_pack(records, received_us)
    first = records[0]
    return checked(
        *columns.arrays(),
        stream=first.stream,
        first_seq=first.seq,
        units=columns.units,
        widened=columns.widened,
    )


def _carry_base(base: Record, record: Record) -> None:
    if record.bver > MAX_VERSION:
        raise PayloadError("bad_schema", f"SenML version {record.bver} is newer than {MAX_VERSION}")
    base.bn = record.bn or base.bn
    base.bt = record.bt if record.bt is not None else base.bt
    base.bu = record.bu if record.bu is not None else base.bu
    base.bv = record.bv if record.bv is not None else base.bv
    base.bs = record.bs if record.bs is not None else base.bs


def _add_readings(columns: Columns, base: Record, record: Record, received_us: int) -> None:
    name = base.bn + record.n
    unit = record.u or base.bu or ""
    values = (record.v, record.vs, record.vb, record.vd)
    given = sum(value is not None for value in values)
    if given > 1:
        raise PayloadError("bad_value", f"record {name[:80]!r} has more than one value")
    has_sum = record.s is not None or (base.bs is not None and given == 1)
    if given == 0 and record.s is None and not (record.n and base.bv is not None):
        return  # a record of base fields alone
    time = _time_us(base, record, received_us)
    if has_sum:
        total = columns.number(f"{name}.sum", base.bs or 0, record.s or 0)
        columns.add(f"{name}.sum", time, total, None, f"{unit}s" if unit else "")
    if record.vb is not None:
        columns.add(name, time, float(record.vb), None, unit)
    elif record.vs is not None or record.vd is not None:
        columns.add(name, time, None, record.vs if record.vs is not None else record.vd, unit)
    elif record.v is not None or base.bv is not None:
        columns.add(name, time, columns.number(name, record.v or 0, base.bv or 0), None, unit)


def _finite(number: Number) -> float:
    try:
        found = float(number)
    except OverflowError:
        found = math.inf
    if not math.isfinite(found):
        raise PayloadError("bad_value", f"{number} is no number that float64 holds")
    return found


def _is_inexact(number: Number) -> bool:
    """Whether it is an integer that has no float64 of its own (those beyond all are refused elsewhere)."""
    if isinstance(number, float) or abs(number) <= MAX_EXACT:
        return False
    return int(_finite(number)) != number


def _time_us(base: Record, record: Record, received_us: int) -> int:
    seconds = (base.bt or 0) + record.t
    if not abs(seconds) <= MAX_TIME_US // 1_000_000:
        raise PayloadError("bad_value", f"time {seconds} is not a time in seconds")
    absolute = round(seconds * 1_000_000)
    return absolute if seconds >= RELATIVE_BELOW else received_us + absolute
