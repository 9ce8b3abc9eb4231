"""The columns that every codec yields, and the checks that hold for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from headrace.batch import check_stream_and_seq
from headrace.errors import PayloadError
from headrace.limits.wire import MAX_NAME_CHARS, MAX_TEXT_BYTES

NAME_TYPE: Final = pa.dictionary(pa.int32(), pa.utf8())
TIME_TYPE: Final = pa.timestamp("us", tz="UTC")

#: One row a reading; exactly one of value and text is set in a row.
BATCH_SCHEMA: Final = pa.schema(
    [
        pa.field("name", NAME_TYPE, nullable=False),
        pa.field("time", TIME_TYPE, nullable=False),
        pa.field("value", pa.float64()),
        pa.field("text", pa.utf8()),
    ]
)

#: Number of the name, time, value, places of texts.
_FIXED_BYTES: Final = 28

#: Times outside 1970–2262 are no times of readings, and a nanosecond store downstream cannot hold them.
MIN_TIME_US: Final = 0
MAX_TIME_US: Final = 2**63 // 1_000

#: Integers up to here have a float64 of their own.
MAX_EXACT: Final = 2**53


@dataclass(frozen=True, slots=True)
class Decoded:
    """A payload's readings and what it says of itself.

    ``rows`` has ``BATCH_SCHEMA``. ``stream`` is None where the sender gave no identity; then
    ``first_seq`` is 0 and the gateway numbers the readings. ``widened``: how many integers of each series
    became the float64 nearest to them, because it has none of their own (decision 23).
    """

    rows: pa.RecordBatch
    stream: str | None = None
    first_seq: int = 0
    boot: str = ""
    clock: str = ""
    units: Mapping[str, str] = field(default_factory=dict)
    widened: Mapping[str, int] = field(default_factory=dict)


def checked(
    name: pa.Array,
    time: pa.Array,
    value: pa.Array,
    text: pa.Array,
    *,
    stream: str | None = None,
    first_seq: int = 0,
    boot: str = "",
    clock: str = "",
    units: Mapping[str, str] | None = None,
    widened: Mapping[str, int] | None = None,
) -> Decoded:
    """Put columns together after the checks that hold for every format.

    Args:
        name: utf8 or dictionary of utf8. time: timestamp(us, UTC). value: float64. text: utf8.

    Raises:
        PayloadError: a column breaks the wire contract.
    """
    if not pa.types.is_dictionary(name.type):
        name = name.dictionary_encode()
    if name.type != NAME_TYPE:
        name = name.cast(NAME_TYPE)
    _check_names(name)
    _check_times(time)
    _check_values(value, text)
    if stream is not None:
        check_stream_and_seq(stream, first_seq, len(time))
    rows = pa.RecordBatch.from_arrays([name, time, value, text], schema=BATCH_SCHEMA)
    return Decoded(rows, stream, first_seq, boot, clock, units or {}, widened or {})


def inexact(whole: NDArray[np.int64] | NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which integers have no float64 of their own: those of more than 53 digits between the first 1 and the last.

    Told from the bits: a float beyond 2^63 turned back into an integer is another on each processor.
    """
    size = np.abs(whole).view(np.uint64)
    lowest = size & (~size + np.uint64(1))
    found: NDArray[np.bool_] = size // np.maximum(lowest, np.uint64(1)) >= MAX_EXACT
    return found


def count_widened(name: pa.DictionaryArray, mask: NDArray[np.bool_]) -> dict[str, int]:
    """How many readings of a mask each series has."""
    codes, counts = np.unique(name.indices.to_numpy()[mask], return_counts=True)
    names = name.dictionary
    return {names[code].as_py(): count for code, count in zip(codes.tolist(), counts.tolist(), strict=True)}  # fmt: skip


def memory_of(rows: pa.RecordBatch) -> int:
    """About the bytes that columns take: 28 a reading, their names, and their texts if there are any."""
    name, _, _, text = rows.columns
    size = _FIXED_BYTES * len(text) + int(name.dictionary.nbytes)
    return size if text.null_count == len(text) else size + int(text.nbytes)


def _check_names(name: pa.DictionaryArray) -> None:
    if name.null_count or name.dictionary.null_count:
        raise PayloadError("bad_value", "every reading needs a name; some have none")
    # A batch has a handful of names; for so few Python is faster than a compute kernel's start.
    lengths = [len(each) for each in name.dictionary.to_pylist()]
    if lengths and (min(lengths) < 1 or max(lengths) > MAX_NAME_CHARS):
        raise PayloadError(
            "bad_value",
            f"a name has 1 to {MAX_NAME_CHARS} characters, got {min(lengths)} to {max(lengths)}",
        )


def _check_times(time: pa.Array) -> None:
    if time.null_count:
        raise PayloadError("bad_value", f"every reading needs a time; {time.null_count} have none")
    if len(time) == 0:
        return
    micros = time.view(pa.int64()).to_numpy()
    first, last = int(micros.min()), int(micros.max())
    if not MIN_TIME_US <= first <= last <= MAX_TIME_US:
        raise PayloadError(
            "bad_value",
            "times must lie between 1970 and 2262 (microseconds since 1970 UTC), "
            f"got {first} to {last}",
        )


def _check_values(value: pa.Array, text: pa.Array) -> None:
    if value.null_count == 0 and text.null_count == len(text):
        return
    both_or_none = pc.equal(pc.is_valid(value), pc.is_valid(text))
    wrong = pc.sum(both_or_none).as_py() or 0
    if wrong:
        raise PayloadError(
            "bad_value", f"a reading has a value or a text; {wrong} have both or none"
        )
    longest = pc.max(pc.binary_length(text)).as_py() or 0
    if longest > MAX_TEXT_BYTES:
        raise PayloadError("too_large", f"a text may have {MAX_TEXT_BYTES} bytes, got {longest}")
