"""Columns of times as they stand in files and answers, as microseconds since 1970 UTC.

A format is ``auto`` (ISO 8601, or a column that is a timestamp already), ``unix_s`` … ``unix_ns``, or a
pattern of ``strptime``. Patterns become regular expressions, and the parts are put together as numbers:
whole columns at a time, fractions of a second included, and what does not fit is null instead of the
end of the job. Times without a zone are in the zone that the job names; in the hour that a clock is set
back the earlier one is meant, and in the hour that it leaves out, the later.
"""

from __future__ import annotations

import re
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from headrace.codecs.columns import TIME_TYPE
from headrace.errors import UsageError

Ints = NDArray[np.int64]

#: Microseconds of a unit; nanoseconds are divided instead.
_UNIX: Final = {"unix_s": 1_000_000, "unix_ms": 1_000, "unix_us": 1, "unix_ns": 0}
_MONTHS: Final = [
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
]

_ISO: Final = (
    r"^\s*(?P<Y>\d{4})-(?P<m>\d{2})-(?P<d>\d{2})"
    r"(?:[T ](?P<H>\d{2}):(?P<M>\d{2})(?::(?P<S>\d{2})(?:[.,](?P<f>\d{1,9}))?)?)?"
    r"\s*(?P<z>Z|z|[+-]\d{2}:?\d{2}|[+-]\d{2})?\s*$"
)
_DIRECTIVES: Final = {
    "Y": r"(?P<Y>\d{4})", "y": r"(?P<y>\d{2})", "m": r"(?P<m>\d{1,2})", "d": r"(?P<d>\d{1,2})",
    "H": r"(?P<H>\d{1,2})", "I": r"(?P<I>\d{1,2})", "M": r"(?P<M>\d{1,2})", "S": r"(?P<S>\d{1,2})",
    "f": r"(?P<f>\d{1,9})", "p": r"(?P<p>[AaPp][Mm])", "b": r"(?P<b>[A-Za-z]{3})",
    "z": r"(?P<z>Z|[+-]\d{2}:?\d{2})", "%": "%",
}  # fmt: skip


def problem_of(format_name: str, zone: str) -> str:
    """What is wrong with a format or a zone; empty when nothing is."""
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        return f"time_zone: expected a name like Europe/Berlin, got {zone!r}"
    if format_name == "auto" or format_name in _UNIX:
        return ""
    unknown = set(re.findall(r"%(.)", format_name)) - _DIRECTIVES.keys()
    if unknown or not {"%d", "%m", "%b"} & set(re.findall(r"%.", format_name)):
        return (
            f"time_format: expected auto, {', '.join(_UNIX)} or a pattern of "
            f"%{' %'.join(_DIRECTIVES)}, got {format_name!r}"
        )
    return ""


def parse(column: Any, format_name: str, zone: str) -> pa.Array:
    """The column as ``timestamp(us, UTC)``; null where it is no time.

    Raises:
        UsageError: numbers, and the format does not say their unit.
    """
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_null(column.type):
        return pa.nulls(len(column), TIME_TYPE)
    if pa.types.is_timestamp(column.type):
        return _stamps(column, zone)
    if pa.types.is_date(column.type):
        return _stamps(column.cast(pa.timestamp("us")), zone)
    if format_name in _UNIX:
        return _unix(column, format_name)
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        raise UsageError(
            f"times are of type {column.type}, which says no unit",
            hint=f"set time_format to one of {', '.join(_UNIX)}",
        )
    pattern = _ISO if format_name == "auto" else _pattern(format_name)
    return _texts(column.cast(pa.utf8()), pattern, zone)


def _stamps(column: pa.Array, zone: str) -> pa.Array:
    if column.type.tz is None:
        column = _in_zone(column.cast(pa.timestamp("us"), safe=False), zone)
    return column.cast(TIME_TYPE, safe=False)


def _in_zone(column: pa.Array, zone: str) -> pa.Array:
    return pc.assume_timezone(column, zone, ambiguous="earliest", nonexistent="latest")


def _unix(column: pa.Array, format_name: str) -> pa.Array:
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        text = pc.utf8_trim_whitespace(column)
        is_number = pc.match_substring_regex(text, r"^-?\d{1,18}(\.\d+)?$")
        column = pc.if_else(is_number, text, pa.scalar(None, text.type)).cast(pa.decimal128(38, 9))
    factor = _UNIX[format_name]
    if pa.types.is_integer(column.type):
        numbers = column.cast(pa.int64(), safe=False)
        scaled = pc.multiply(numbers, factor) if factor else pc.divide(numbers, 1_000)
        return scaled.cast(TIME_TYPE)
    # Rounded from decimals or floats: 1.7e9 seconds hold microseconds in float64 to the half.
    floats = column.cast(pa.float64())
    scaled = pc.multiply(floats, float(factor or 0.001))
    return pc.round(scaled).cast(pa.int64(), safe=False).cast(TIME_TYPE)


def _pattern(format_name: str) -> str:
    """The regular expression of a ``strptime`` pattern."""
    parts = re.split(r"(%.)", format_name)
    return r"^\s*" + "".join(
        _DIRECTIVES[part[1]] if part.startswith("%") and len(part) == 2 else re.escape(part)
        for part in parts
    ) + r"\s*$"  # fmt: skip


def _texts(column: pa.Array, pattern: str, zone: str) -> pa.Array:
    found = pc.extract_regex(column, pattern)
    part = {field.name: found.field(i) for i, field in enumerate(found.type)}
    valid = np.asarray(found.is_valid().to_numpy(zero_copy_only=False))
    days, of_month = _days(part, valid)
    hours, of_day = _hours(part, valid)
    minutes, seconds = _number(part, "M", valid), _number(part, "S", valid)
    sound = valid & of_month & of_day & (minutes < 60) & (seconds < 60)
    micros = ((days * 24 + hours) * 60 + minutes) * 60_000_000 + seconds * 1_000_000
    micros += _fraction(part, valid)
    if "z" not in part:
        return _finished(micros, ~sound, zone)
    offsets, has_zone = _offsets(part["z"], valid)
    there = _finished(micros - offsets, ~(sound & has_zone), "UTC")
    here = _finished(micros, ~(sound & ~has_zone), zone)
    return pc.coalesce(there, here)


def _finished(micros: Ints, bad: NDArray[np.bool_], zone: str) -> pa.Array:
    return _in_zone(pa.array(micros, mask=bad).cast(pa.timestamp("us")), zone).cast(TIME_TYPE)


def _number(part: dict[str, Any], name: str, valid: NDArray[np.bool_], default: int = 0) -> Ints:
    if name not in part:
        return np.full(len(valid), default, np.int64)
    text = pc.if_else(pc.equal(part[name], ""), str(default), part[name])
    return np.asarray(pc.fill_null(text.cast(pa.int64()), default).to_numpy(), np.int64)


def _days(part: dict[str, Any], valid: NDArray[np.bool_]) -> tuple[Ints, NDArray[np.bool_]]:
    """Days since 1970, and whether there is such a day."""
    years = _number(part, "Y", valid, 1970)
    if "y" in part:  # as strptime: 69 to 99 are of the last century
        short = _number(part, "y", valid)
        years = np.where(short < 69, 2000, 1900) + short
    months = _month_names(part["b"]) if "b" in part else _number(part, "m", valid, 1)
    days = _number(part, "d", valid, 1)
    sound = (months >= 1) & (months <= 12) & (days >= 1) & (years >= 1)
    months = np.clip(months, 1, 12)
    first = (years - 1970).astype("datetime64[Y]").astype("datetime64[M]") + (months - 1)
    start = first.astype("datetime64[D]").astype(np.int64)
    length = (first + 1).astype("datetime64[D]").astype(np.int64) - start
    return start + days - 1, sound & (days <= length)


def _month_names(column: Any) -> Ints:
    places = pc.index_in(pc.utf8_lower(column), value_set=pa.array(_MONTHS))
    return np.asarray(pc.fill_null(places, -1).to_numpy(), np.int64) + 1


def _hours(part: dict[str, Any], valid: NDArray[np.bool_]) -> tuple[Ints, NDArray[np.bool_]]:
    if "I" not in part:
        hours = _number(part, "H", valid)
        return hours, hours < 24
    hours = _number(part, "I", valid)
    is_pm = np.zeros(len(valid), np.int64)
    if "p" in part:
        pm = pc.fill_null(pc.equal(pc.utf8_lower(part["p"]), "pm"), False)
        is_pm = np.asarray(pm.to_numpy(zero_copy_only=False), np.int64)
    return hours % 12 + 12 * is_pm, (hours >= 1) & (hours <= 12)


def _fraction(part: dict[str, Any], valid: NDArray[np.bool_]) -> Ints:
    """Microseconds; what a file says beyond them is cut off."""
    if "f" not in part:
        return np.zeros(len(valid), np.int64)
    padded = pc.utf8_slice_codeunits(pc.utf8_rpad(part["f"], 6, "0"), 0, 6)
    return np.asarray(pc.fill_null(padded.cast(pa.int64()), 0).to_numpy(), np.int64)


def _offsets(column: Any, valid: NDArray[np.bool_]) -> tuple[Ints, NDArray[np.bool_]]:
    """Microseconds east of UTC, and where a zone is said."""
    has = np.asarray(pc.fill_null(pc.greater(pc.utf8_length(column), 0), False).to_numpy(zero_copy_only=False))  # fmt: skip
    found = pc.extract_regex(column, r"^(?P<sign>[+-])(?P<H>\d{2}):?(?P<M>\d{2})?$")
    part = {field.name: found.field(i) for i, field in enumerate(found.type)}
    minutes = _number(part, "H", valid) * 60 + _number(part, "M", valid)
    west = np.asarray(pc.fill_null(pc.equal(part["sign"], "-"), False).to_numpy(zero_copy_only=False))  # fmt: skip
    return np.where(west, -minutes, minutes) * 60_000_000, has & valid


Guess = Literal["auto", "unix_s", "unix_ms", "unix_us", "unix_ns", ""]

#: For ``cloud-sync import sniff``: tried in this order on a sample of a column.
PATTERNS: Final = (
    "auto", "%d.%m.%Y %H:%M:%S.%f", "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M", "%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %I:%M %p", "%d-%b-%Y %H:%M:%S",
    "%Y%m%dT%H%M%S%z", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M",
)  # fmt: skip


def guess(column: pa.Array) -> str:
    """The format that all of a sample's texts or numbers fit; empty when none does."""
    if not len(column) or column.null_count == len(column):
        return ""
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return "auto"
    text = column.cast(pa.utf8())
    if pc.all(pc.match_substring_regex(text, r"^\s*\d{9,19}(\.\d+)?\s*$")).as_py():
        digits = len(str(int(float(pc.max(text).as_py()))))
        by_digits = {9: "unix_s", 10: "unix_s", 12: "unix_ms", 13: "unix_ms", 16: "unix_us", 19: "unix_ns"}  # fmt: skip
        return by_digits.get(digits, "")
    fitting = (each for each in PATTERNS if parse(text, each, "UTC").null_count == text.null_count)
    return next(fitting, "")
