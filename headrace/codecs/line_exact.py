r"""Line protocol by its grammar, one line after the other: what ``line_columns`` must agree with.

The rules are those of InfluxDB 1.x (``models/points.go``); ``tests/integration/ingest/test_line_influxdb.py``
tries them on a real one:

- In names a comma, space or ``=`` is escaped by a backslash right before it, and that is all a backslash
  does: ``C:\\x`` keeps both. In field keys it also escapes ``"``. In strings it escapes ``"`` and ``\``.
- Quotes mean something at the beginning of a field's value and nowhere else.
- Numbers are ``-1``, ``.5``, ``5.``, ``1e-3``; never ``+1``, ``nan``, ``0x10`` or ``1_000``.
- A tag occurs once. Spaces, tabs and NULs may stand before a line, its fields and its time.

On purpose unlike InfluxDB: a line may end in CRLF; a comment ends where its line ends, whatever quotes
it holds; ``"a"b`` is no string; a line break is never part of a name; ``time`` is a name like others.
Every repetition is possessive: nothing that a stranger sends makes a regular expression try twice.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import Final

from headrace.codecs.columns import MAX_EXACT, Decoded, checked
from headrace.codecs.readings import Readings
from headrace.errors import PayloadError
from headrace.limits.wire import MAX_NAME_CHARS

BOOLEANS: Final = dict.fromkeys(("t", "T", "true", "True", "TRUE"), 1.0) | dict.fromkeys(
    ("f", "F", "false", "False", "FALSE"), 0.0
)
_INT64: Final = range(-(2**63), 2**63)
_UINT64: Final = range(2**64)

_GAP: Final = re.compile(r"(?:[ \t\0]*+(?:#[^\n]*+)?\r?\n)*+[ \t\0]*+(?:#[^\n]*+|\r\Z)?")
_HEAD: Final = re.compile(r"(?:\\ |[^ \n])++")
_MEASUREMENT: Final = re.compile(r"(?:\\[, ]|[^, ])++")
_TAG: Final = re.compile(r",((?:\\[,= ]|[^,= ])++)=(=?+(?:\\[,= ]|[^,= ])*+)")
_SPACES: Final = re.compile(r"[ \t\0]*+")
_FIELD: Final = re.compile(
    r'((?:\\[,= ]|[^,= \n])++)=(?:"([^"\\]*+(?:\\.[^"\\]*+)*+)"|([^", \r\n]++))'
    r"(,|(?= |\r?(?:\n|\Z)))",
    re.DOTALL,
)
_TAIL: Final = re.compile(r"(?: [ \t\0]*+(-?[0-9]++)? *+)?\r?(?:\n|\Z)")
_NUMBER: Final = re.compile(r"-?(?:[0-9]++\.?[0-9]*+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?")
_WHOLE: Final = re.compile(r"-?[0-9]++i|[0-9]++u")
_NAME_ESCAPE: Final = re.compile(r"\\([,= ])")
_KEY_ESCAPE: Final = re.compile(r'\\([,= "])')
_STRING_ESCAPE: Final = re.compile(r'\\(["\\])')


def decode(text: str, received_us: int, multiply: int, divide: int) -> Decoded:
    """Decode lines; a time is multiplied and divided, rounded down, to become microseconds."""
    readings = Readings()
    at = _behind(_GAP, text, 0)
    while at < len(text):
        try:
            end = _line(text, at, received_us, multiply, divide, readings)
        except ValueError as error:
            number = text.count("\n", 0, at) + 1
            raise PayloadError(
                "bad_value", f"line {number}: {error}: {text[at : at + 120]!r}"
            ) from error
        at = _behind(_GAP, text, end)
    return checked(*readings.columns(), widened=readings.widened)


def _line(
    text: str, start: int, received_us: int, multiply: int, divide: int, readings: Readings
) -> int:
    """Take the line that begins at ``start``; returns where the next one does."""
    found = _HEAD.match(text, start)
    if found is None or text[found.end() : found.end() + 1] != " ":
        raise ValueError("expected measurement, tags, a space and fields")
    before, behind = head(found[0])
    at = _behind(_SPACES, text, found.end())
    more = True
    while more:
        field = _FIELD.match(text, at)
        if field is None:
            raise ValueError(f"expected field=value at column {at - start + 1}")
        name = f"{before}{key(field[1])}{behind}"
        number, string = _value(field[2], field[3])
        if isinstance(number, int):
            if abs(number) > MAX_EXACT and int(float(number)) != number:
                readings.widen(name)
            number = float(number)
        readings.add(name, number, string)
        at, more = field.end(), bool(field[4])
    tail = _TAIL.match(text, at)
    if tail is None:
        raise ValueError(f"expected a time or the end of the line at column {at - start + 1}")
    readings.happened(received_us if tail[1] is None else int(tail[1]) * multiply // divide)
    return tail.end()


def _behind(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


@lru_cache(maxsize=4_096)  # a sender repeats its series; 4,096 heads of 100 bytes are 1 MB
def _known_head(text: str) -> tuple[str, str]:
    return _parse_head(text)


def head(text: str) -> tuple[str, str]:
    """What stands before and behind the field's key in the names of a line's series.

    Raises:
        ValueError: the head is not of the grammar.
    """
    # What is longer than a name may be is not worth remembering.
    return _known_head(text) if len(text) <= MAX_NAME_CHARS else _parse_head(text)


def _parse_head(text: str) -> tuple[str, str]:
    if len(text) > 2 * MAX_NAME_CHARS:  # every other character may be an escape
        raise ValueError(f"a series' name has up to {MAX_NAME_CHARS} characters")
    found = _MEASUREMENT.match(text)
    if found is None:
        raise ValueError("expected a measurement name")
    at = found.end()
    tags: dict[str, str] = {}
    while (tag := _TAG.match(text, at)) is not None and tag[2]:
        name = _NAME_ESCAPE.sub(r"\1", tag[1])
        if name in tags:
            raise ValueError(f"tag {name[:80]!r} occurs twice")
        tags[name] = _NAME_ESCAPE.sub(r"\1", tag[2])
        at = tag.end()
    if at < len(text):
        raise ValueError(f"expected tag=value or the fields at column {at + 1}")
    suffix = "".join(f";{name}={tags[name]}" for name in sorted(tags))
    return _NAME_ESCAPE.sub(r"\1", found[0]) + ".", suffix


def key(text: str) -> str:
    """A field's key without its escapes."""
    return _KEY_ESCAPE.sub(r"\1", text) if "\\" in text else text


def _value(string: str | None, token: str) -> tuple[float | int | None, str | None]:
    if string is not None:
        return None, _STRING_ESCAPE.sub(r"\1", string) if "\\" in string else string
    if _NUMBER.fullmatch(token):
        number = float(token)
        if not math.isfinite(number):
            raise ValueError(f"not a finite number: {token[:40]!r}")
        return number, None
    if _WHOLE.fullmatch(token):
        return _whole(int(token[:-1]), _INT64 if token[-1] == "i" else _UINT64), None
    boolean = BOOLEANS.get(token)
    if boolean is None:
        raise ValueError(f"neither number, boolean nor string: {token[:40]!r}")
    return boolean, None


def _whole(number: int, allowed: range) -> int:
    if number not in allowed:
        raise ValueError("an integer may have 64 bits, this one has more")
    return number
