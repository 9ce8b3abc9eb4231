r"""InfluxDB line protocol, as Telegraf and its like send it.

``measurement[,tag=value…] field=value[,field=value…] [time in ns]``

A field becomes the series ``measurement.field``; tags are kept as ``;key=value`` pairs sorted by key
(the Graphite tag convention). Integers end in ``i`` or ``u``, booleans are t/T/true/f/F/false, strings
stand in double quotes. Commas, spaces and ``=`` in names are escaped by a backslash; comments start
with ``#``; a line without a time happened when it arrived. One bad line refuses the batch: a sender
must not believe that half of it was kept.
"""

from __future__ import annotations

import math
import re
from typing import Final

import pyarrow as pa

from headrace.codecs.columns import TIME_TYPE, Decoded, checked
from headrace.errors import PayloadError

MAX_EXACT: Final = 2**53

# A token up to an unescaped separator; a backslash takes the next character along. Double quotes mean
# something in field values only.
_MEASUREMENT: Final = re.compile(r"((?:\\.|[^, \n\\])+)")
_TAG: Final = re.compile(r",((?:\\.|[^,= \n\\])+)=((?:\\.|[^,= \n\\])+)")
_FIELD: Final = re.compile(
    r'((?:\\.|[^,= \n\\])+)=(?:"((?:\\.|[^"\\])*)"|([^," \n]+))(,|(?=\s|$))', re.DOTALL
)
_REST: Final = re.compile(r"[^\n]*")
_GAP: Final = re.compile(r"(?:\s+|#[^\n]*)*")
_ESCAPE: Final = re.compile(r"\\([,= \\])")
_STRING_ESCAPE: Final = re.compile(r'\\(["\\])')
_TRUE: Final = frozenset({"t", "T", "true", "True", "TRUE"})
_FALSE: Final = frozenset({"f", "F", "false", "False", "FALSE"})


class _Columns:
    def __init__(self) -> None:
        self.names: list[str] = []
        self.times: list[int] = []
        self.values: list[float | None] = []
        self.texts: list[str | None] = []


def decode(payload: bytes, received_us: int) -> Decoded:
    """Decode lines; times are nanoseconds and are rounded down to microseconds."""
    try:
        text = payload.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PayloadError("broken_frame", f"line protocol is UTF-8: {error}") from error
    columns = _Columns()
    at = _skip_gap(text, 0)
    while at < len(text):
        try:
            at = _skip_gap(text, _decode_line(text, at, received_us, columns))
        except ValueError as error:
            number = text.count("\n", 0, at) + 1
            raise PayloadError(
                "bad_value", f"line {number}: {error}: {text[at : at + 120]!r}"
            ) from error
    return checked(
        pa.array(columns.names, pa.utf8()),
        pa.array(columns.times, pa.int64()).cast(TIME_TYPE),
        pa.array(columns.values, pa.float64()),
        pa.array(columns.texts, pa.utf8()),
    )


def _skip_gap(text: str, at: int) -> int:
    """Behind blank lines and comments."""
    match = _GAP.match(text, at)
    return match.end() if match else at


def _decode_line(text: str, start: int, received_us: int, columns: _Columns) -> int:
    """Take the line that begins at ``start``; returns where it ends."""
    match = _MEASUREMENT.match(text, start)
    if match is None:
        raise ValueError("expected a measurement name")
    measurement, at = _unescape(match[1]), match.end()
    tags = []
    while (match := _TAG.match(text, at)) is not None:
        tags.append((_unescape(match[1]), _unescape(match[2])))
        at = match.end()
    if at >= len(text) or text[at] != " ":
        raise ValueError(f"expected a space before the fields at column {at - start + 1}")
    suffix = "".join(f";{key}={value}" for key, value in sorted(tags))
    at = _skip_spaces(text, at)
    fields: list[tuple[str, float | None, str | None]] = []
    while (match := _FIELD.match(text, at)) is not None:
        value, string = _value(match[2], match[3])
        fields.append((f"{measurement}.{_unescape(match[1])}{suffix}", value, string))
        at = match.end()
        if not match[4]:
            break
    else:
        raise ValueError(f"expected field=value at column {at - start + 1}")
    rest = _REST.match(text, at)
    end = rest.end() if rest else at
    time = _time_us(text[at:end].strip(), received_us)
    for name, value, string in fields:
        columns.names.append(name)
        columns.times.append(time)
        columns.values.append(value)
        columns.texts.append(string)
    return end


def _skip_spaces(line: str, at: int) -> int:
    while at < len(line) and line[at] == " ":
        at += 1
    return at


def _unescape(text: str) -> str:
    return _ESCAPE.sub(r"\1", text) if "\\" in text else text


def _value(string: str | None, token: str) -> tuple[float | None, str | None]:
    if string is not None:
        return None, _STRING_ESCAPE.sub(r"\1", string)
    if token in _TRUE:
        return 1.0, None
    if token in _FALSE:
        return 0.0, None
    if "_" in token:
        raise ValueError(f"not a number: {token[:40]!r}")
    if token[-1] in "iu":
        whole = int(token[:-1])
        if abs(whole) > MAX_EXACT and int(float(whole)) != whole:
            raise ValueError(f"{whole} cannot be held exactly by a 64-bit float")
        return float(whole), None
    number = float(token)
    if not math.isfinite(number):
        raise ValueError(f"not a finite number: {token[:40]!r}")
    return number, None


def _time_us(text: str, received_us: int) -> int:
    if not text:
        return received_us
    if not re.fullmatch(r"-?[0-9]{1,19}", text):
        raise ValueError(f"expected a time in nanoseconds, got {text[:40]!r}")
    return int(text) // 1_000
