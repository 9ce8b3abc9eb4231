r"""Line protocol in one pass over the bytes of a payload, for payloads of many lines.

Separators (comma, ``=``, space, line break) are found with numpy; those that are escaped or inside a
string are left out; what remains must alternate as the grammar says, and lies between the tokens: heads
(measurement and tags), keys, values and times. Different heads and keys are looked at once each, in
Python; values and times are parsed by pyarrow.

``decode`` answers None for everything that it is not sure of (comments, CRLF, more than one space,
anything wrong): ``line_exact`` reads those payloads, and is the one that refuses. So this module never
says what is wrong, and accepts nothing that the other would not: a token that it cannot vouch for
(``0x1``, ``-inf``, an integer beyond 63 bits) makes it give up as well.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from headrace.codecs import line_exact
from headrace.codecs.columns import MAX_TIME_US, TIME_TYPE, Decoded, checked, count_widened, inexact
from headrace.codecs.readings import Names
from headrace.errors import PayloadError
from headrace.limits.wire import MAX_PAYLOAD_ROWS

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int32]
Bools = NDArray[np.bool_]

#: Separators that are worth the memory (about 40 bytes each): three for a reading, and tags.
MAX_SEPARATORS: Final = 4 * MAX_PAYLOAD_ROWS

#: Different series in a payload. With more, nothing is shared that would be worth the memory.
MAX_SERIES: Final = 100_000

_COMMA, _EQUALS, _SPACE, _BREAK, _QUOTE, _BACKSLASH, _MINUS, _ZERO = b',= \n"\\-0'

#: What a value is by its first byte; 0 is nothing that a value begins with.
_NUMBER, _STRING, _BOOLEAN = 1, 2, 3
_KIND: Final = np.zeros(256, np.uint8)
_KIND[list(b"0123456789-.")] = _NUMBER
_KIND[_QUOTE] = _STRING
_KIND[list(b"tTfF")] = _BOOLEAN

#: Whitespace is not only spaces, and a line that begins with # is none. Fields may, which is rare.
_BEGINS: Final = np.ones(256, np.bool_)
_BEGINS[list(b"\t\0#")] = False


class _Unsure(Exception):
    """Not a payload for this module."""


class _Marks(NamedTuple):
    """Separators that separate: where they are, and which; ``quotes`` that begin or end strings."""

    data: Bytes
    at: Ints
    kind: Bytes
    quotes: Bools | None


class _Tokens(NamedTuple):
    """Where tokens begin and end, in order."""

    start: Ints
    end: Ints


class _Lines(NamedTuple):
    """Lines and their parts; a line without a time has an empty one."""

    heads: _Tokens
    fields: Ints  # how many a line has
    keys: _Tokens
    values: _Tokens
    times: _Tokens


def decode(payload: bytes, received_us: int, multiply: int, divide: int) -> Decoded | None:
    """The readings of a payload of valid UTF-8, or None where ``line_exact`` must read it."""
    payload = payload.rstrip(b"\n") + b"\n"
    try:
        marks = _marks(payload)
        lines = _split(marks)
        value, text, widened = _values(payload, marks, lines.values)
        time = _times(payload, lines.times, received_us, multiply, divide)
        names = _names(payload, lines)
        return checked(
            names,
            pa.array(np.repeat(time, lines.fields)).cast(TIME_TYPE),
            value,
            text,
            widened=None if widened is None else count_widened(names, widened),
        )
    except (_Unsure, ValueError, PayloadError):  # pa.ArrowInvalid is a ValueError
        return None


def _sure(condition: Any) -> None:
    if not condition:
        raise _Unsure


def _marks(payload: bytes) -> _Marks:
    data = np.frombuffer(payload, np.uint8)
    found = (data == _COMMA) | (data == _EQUALS) | (data == _SPACE) | (data == _BREAK)
    quotes = None
    if b'"' in payload:
        quotes = _quotes(data, b"\\" in payload)
        found |= quotes
    at = np.flatnonzero(found).astype(np.int32)
    _sure(len(at) <= MAX_SEPARATORS)
    kind = data[at]
    keep = None
    if quotes is not None:
        is_quote = kind == _QUOTE
        keep = ~is_quote & (np.cumsum(is_quote, dtype=np.int32) & 1 == 0)
    if b"\\" in payload:
        free = (data[at - 1] != _BACKSLASH) | (kind == _BREAK)
        keep = free if keep is None else keep & free
    return (
        _Marks(data, at, kind, None) if keep is None else _Marks(data, at[keep], kind[keep], quotes)
    )


def _quotes(data: Bytes, escapes: bool) -> Bools:
    """Quotes without those behind an odd number of backslashes."""
    quotes: Bools = data == _QUOTE
    if escapes:
        slashes = np.flatnonzero(data == _BACKSLASH)
        last = np.append(np.diff(slashes) > 1, True)
        run = np.diff(np.flatnonzero(last), prepend=-1)
        quotes[slashes[last][run & 1 == 1] + 1] = False
    return quotes


def _split(marks: _Marks) -> _Lines:
    """Cut into lines and fields, if every line is head, space, fields, and perhaps space and time."""
    data, at, kind, _ = marks
    breaks = np.flatnonzero(kind == _BREAK).astype(np.int32)
    spaces = np.flatnonzero(kind == _SPACE).astype(np.int32)
    _sure(len(breaks) and breaks[-1] == len(at) - 1)
    seen = np.searchsorted(spaces, breaks).astype(np.int32)
    count = np.diff(seen, prepend=np.int32(0))
    _sure(count.min() >= 1 and count.max() <= 2)
    gap = spaces[seen - count]
    end = np.where(count == 2, spaces[seen - 1], breaks)
    start = np.append(np.int32(0), at[breaks[:-1]] + np.int32(1))
    _sure(_BEGINS[data[start]].all() and _BEGINS[data[at[gap] + 1]].all())
    marks_of_fields = end - gap - 1
    _sure((marks_of_fields & 1).all())
    fields = (marks_of_fields + 1) >> 1
    rows = int(fields.sum(dtype=np.int64))
    _sure(rows <= MAX_PAYLOAD_ROWS)
    before = np.cumsum(fields, dtype=np.int32) - fields
    equals = np.repeat(gap + 1 - 2 * before, fields) + np.arange(0, 2 * rows, 2, dtype=np.int32)
    _sure((kind[equals] == _EQUALS).all())
    _sure(np.count_nonzero(kind[equals + 1] == _COMMA) == rows - len(breaks))
    keys = _Tokens(at[equals - 1] + np.int32(1), at[equals])
    _sure((keys.start < keys.end).all())
    return _Lines(
        _Tokens(start, at[gap]),
        fields,
        keys,
        _Tokens(keys.end + np.int32(1), at[equals + 1]),
        _Tokens(at[end] + np.int32(end is not breaks), at[breaks]),
    )


def _texts(payload: bytes, tokens: _Tokens) -> pa.Array:
    """Tokens as strings. What lies between them becomes strings too, which ``take`` leaves out."""
    offsets = np.empty(2 * len(tokens.start), np.int32)
    offsets[0::2], offsets[1::2] = tokens
    everything = pa.Array.from_buffers(
        pa.utf8(), len(offsets) - 1, [None, pa.py_buffer(offsets), pa.py_buffer(payload)]
    )
    return everything.take(pa.array(np.arange(0, len(offsets), 2, dtype=np.int32)))


def _names(payload: bytes, lines: _Lines) -> pa.DictionaryArray:
    """Each different pair of head and key is put together once."""
    heads = _texts(payload, lines.heads).dictionary_encode()
    keys = _texts(payload, lines.keys).dictionary_encode()
    width = len(keys.dictionary)
    pairs = np.repeat(heads.indices.to_numpy().astype(np.int64) * width, lines.fields)
    pairs += keys.indices.to_numpy()
    found = pa.array(pairs).dictionary_encode()
    _sure(len(found.dictionary) <= MAX_SERIES)
    around = [line_exact.head(head) for head in heads.dictionary.to_pylist()]
    plain = [line_exact.key(key) for key in keys.dictionary.to_pylist()]
    names = Names()
    numbers = []
    for pair in found.dictionary.to_pylist():
        before, behind = around[pair // width]
        numbers.append(names.number(f"{before}{plain[pair % width]}{behind}"))
    # Two heads may be one series: their tags stand in another order.
    return names.column(pa.array(np.array(numbers, np.int32)[found.indices.to_numpy()]))


def _times(
    payload: bytes, tokens: _Tokens, received_us: int, multiply: int, divide: int
) -> NDArray[np.int64]:
    given = tokens.start < tokens.end
    times = np.full(len(given), received_us, np.int64)
    if given.any():
        said = _integers(payload, _Tokens(tokens.start[given], tokens.end[given]))
        _sure(said.min() >= 0 and said.max() <= MAX_TIME_US * divide // multiply)
        times[given] = said * multiply // divide
    return times


def _integers(payload: bytes, tokens: _Tokens) -> NDArray[np.int64]:
    data = np.frombuffer(payload, np.uint8)
    second = data[tokens.start + 1]
    _sure(not ((second == ord("x")) | (second == ord("X"))).any())  # pyarrow reads hexadecimal
    return _texts(payload, tokens).cast(pa.int64()).to_numpy()  # type: ignore[no-any-return]


def _values(
    payload: bytes, marks: _Marks, tokens: _Tokens
) -> tuple[pa.Array, pa.Array, Bools | None]:
    """The columns of values and of texts, and which values stand for integers without a float of their own."""
    data = marks.data
    kind = _KIND[data[tokens.start]]
    last = data[tokens.end - 1]
    is_number = kind == _NUMBER
    is_integer = is_number & ((last == ord("i")) | (last == ord("u")))
    _sure(not (is_integer & (last == ord("u")) & (data[tokens.start] == _MINUS)).any())
    numbers = np.zeros(len(kind), np.float64)
    widened: Bools | None = None
    if is_integer.any():
        whole = _integers(payload, _Tokens(tokens.start[is_integer], tokens.end[is_integer] - 1))
        numbers[is_integer] = whole
        lost = inexact(whole)
        if lost.any():
            widened = np.zeros(len(kind), np.bool_)
            widened[is_integer] = lost
    is_float = is_number & ~is_integer
    if is_float.any():
        floats = _texts(payload, _Tokens(tokens.start[is_float], tokens.end[is_float]))
        numbers[is_float] = floats.cast(pa.float64()).to_numpy()
        _sure(np.isfinite(numbers).all())
    if is_number.all():
        _sure(marks.quotes is None or not marks.quotes.any())
        return pa.array(numbers), pa.nulls(len(kind), pa.utf8()), widened
    return *_mixed(payload, marks, tokens, kind, numbers), widened


def _mixed(
    payload: bytes, marks: _Marks, tokens: _Tokens, kind: Bytes, numbers: NDArray[np.float64]
) -> tuple[pa.Array, pa.Array]:
    """Columns of numbers, booleans and strings."""
    _sure(kind.all())
    is_boolean, is_string = kind == _BOOLEAN, kind == _STRING
    if is_boolean.any():
        said = _texts(payload, _Tokens(tokens.start[is_boolean], tokens.end[is_boolean]))
        said = said.dictionary_encode()
        meant = [line_exact.BOOLEANS.get(each, np.nan) for each in said.dictionary.to_pylist()]
        numbers[is_boolean] = np.array(meant)[said.indices.to_numpy()]
        _sure(np.isfinite(numbers).all())
    strings = _strings(payload, marks, _Tokens(tokens.start[is_string], tokens.end[is_string]))
    places = pa.array(np.cumsum(is_string, dtype=np.int32) - 1, mask=~is_string)
    return pa.array(numbers, mask=is_string), strings.take(places)


def _strings(payload: bytes, marks: _Marks, tokens: _Tokens) -> pa.Array:
    """Each string has its two quotes, and there are no others anywhere."""
    quotes = marks.quotes
    count = len(tokens.start)
    if quotes is None or not count:
        _sure(not count and quotes is None)
        return pa.array([], pa.utf8())
    _sure(np.count_nonzero(quotes) == 2 * count and quotes[tokens.end - 1].all())
    _sure((tokens.end - tokens.start >= 2).all())
    strings = _texts(payload, _Tokens(tokens.start + 1, tokens.end - 1))
    if b"\\" in payload:
        strings = pc.replace_substring_regex(strings, r'\\(["\\])', r"\1")
    return strings
