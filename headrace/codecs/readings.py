"""Readings on their way into columns, for decoders that take one reading after the other.

A payload can make names much larger than itself: a prefix of 400 characters in front of 100,000
different one-letter names. So names are kept once each, and what they come to is bounded.
"""

from __future__ import annotations

from array import array

import pyarrow as pa

from headrace.codecs.columns import MAX_TIME_US, MIN_TIME_US, NAME_TYPE, TIME_TYPE
from headrace.errors import PayloadError
from headrace.limits.wire import MAX_DECODED_BYTES, MAX_NAME_CHARS, MAX_PAYLOAD_ROWS


class Names:
    """Different names, numbered in the order of their first reading."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._chars = 0

    def number(self, name: str) -> int:
        """The name's number; refuses names beyond the bounds as soon as they are met."""
        found = self._numbers.get(name)
        if found is not None:
            return found
        if not 1 <= len(name) <= MAX_NAME_CHARS:
            raise PayloadError(
                "bad_value", f"a name has 1 to {MAX_NAME_CHARS} characters, got {len(name)}"
            )
        self._chars += len(name)
        if self._chars > MAX_DECODED_BYTES:
            raise PayloadError(
                "bomb", f"the names of a payload may come to {MAX_DECODED_BYTES} characters"
            )
        self._numbers[name] = len(self._numbers)
        return len(self._numbers) - 1

    def column(self, numbers: pa.Array) -> pa.DictionaryArray:
        """The numbers of readings as the column of their names."""
        try:
            names = pa.array(list(self._numbers), pa.utf8())
        except UnicodeEncodeError as error:
            raise PayloadError("bad_value", f"a name is not valid Unicode: {error}") from error
        return pa.DictionaryArray.from_arrays(numbers, names).cast(NAME_TYPE)


class Readings:
    """The four columns, filled row by row."""

    def __init__(self) -> None:
        self.names = Names()
        self._numbers = array("i")
        self._times = array("q")
        self._values: list[float | None] = []
        self._texts: dict[int, str] = {}
        self.widened: dict[str, int] = {}

    def widen(self, name: str) -> None:
        """The reading to come is an integer that its value stands for."""
        self.widened[name] = self.widened.get(name, 0) + 1

    def add(self, name: str, value: float | None, text: str | None) -> None:
        """One reading more, its time to follow; refused at once where it is one too many."""
        row = len(self._numbers)
        if row == MAX_PAYLOAD_ROWS:
            raise PayloadError("too_large", f"a batch has 1 to {MAX_PAYLOAD_ROWS} readings")
        self._numbers.append(self.names.number(name))
        self._values.append(value)
        if text is not None:
            self._texts[row] = text

    def happened(self, time_us: int) -> None:
        """The time of the readings that have none yet."""
        if not MIN_TIME_US <= time_us <= MAX_TIME_US:
            raise PayloadError(
                "bad_value", f"times must lie between 1970 and 2262, got {time_us} µs since 1970"
            )
        missing = len(self._numbers) - len(self._times)
        self._times.extend((time_us,) * missing)

    def columns(self) -> tuple[pa.Array, pa.Array, pa.Array, pa.Array]:
        """Name, time, value and text, as ``columns.checked`` takes them."""
        return (
            self.names.column(pa.array(self._numbers, pa.int32())),
            pa.array(self._times, pa.int64()).cast(TIME_TYPE),
            pa.array(self._values, pa.float64()),
            self._text_column(),
        )

    def _text_column(self) -> pa.Array:
        rows = len(self._numbers)
        if not self._texts:
            return pa.nulls(rows, pa.utf8())
        try:
            return pa.array([self._texts.get(row) for row in range(rows)], pa.utf8())
        except UnicodeEncodeError as error:
            raise PayloadError("bad_value", f"a text is not valid Unicode: {error}") from error
