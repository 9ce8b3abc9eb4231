"""Columns of an Arrow stream, checked before they are trusted, as the columns of the contract.

Everything that a stranger may put into a stream: offsets and indices that point outside, text that is
not utf8, other types, texts that stand once and are meant a million times, nulls. Integers become the
float64 nearest to them, and ``lost`` says which have none of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from headrace.codecs.columns import BATCH_SCHEMA, inexact
from headrace.errors import PayloadError
from headrace.limits.wire import MAX_DECODED_BYTES, MAX_PAYLOAD_ROWS

#: What a column may be made of: its own type, and those nearby that lose nothing.
_NEARBY: Final[Mapping[str, Sequence[Callable[[pa.DataType], bool]]]] = {
    "name": (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view),
    "text": (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_null),
    "time": (pa.types.is_timestamp, pa.types.is_integer),
    "value": (pa.types.is_floating, pa.types.is_integer, pa.types.is_boolean, pa.types.is_decimal, pa.types.is_null),
}  # fmt: skip


def _check_type(name: str, kind: pa.DataType) -> None:
    of_strings = pa.types.is_dictionary(kind) and name in ("name", "text")
    inner = kind.value_type if of_strings else kind
    views = of_strings and pa.types.is_string_view(inner)
    if views or not any(allowed(inner) for allowed in _NEARBY[name]):
        raise PayloadError(
            "bad_schema", f"column {name!r} must be {BATCH_SCHEMA.field(name).type}, got {kind}"
        )


def trusted(table: pa.Table) -> pa.Table:
    """The columns of the contract, after all checks that reading them relies on.

    Types first: a full validation of views or lists may itself take hours. Offsets, indices and utf8
    then (``full``: a wrong offset would read outside the buffer).

    Raises:
        PayloadError: too many rows, wrong types, too much to unpack.
        pyarrow.ArrowInvalid: not what it says it is.
    """
    if table.num_rows > MAX_PAYLOAD_ROWS:
        raise PayloadError(
            "too_large", f"a batch has up to {MAX_PAYLOAD_ROWS} readings, got {table.num_rows}"
        )
    places = [table.schema.get_field_index(name) for name in BATCH_SCHEMA.names]
    known = table.select([place for place in places if place >= 0])
    for field in known.schema:
        _check_type(field.name, field.type)
    known.validate()
    for field in known.schema:
        if pa.types.is_string_view(field.type):
            _refuse_unpacking(field.name, map(_lengths_of_views, known.column(field.name).chunks))
    known.validate(full=True)
    text = known.schema.get_field_index("text")
    if text >= 0 and pa.types.is_dictionary(known.schema.field(text).type):
        _refuse_unpacking("text", map(_lengths_of_entries, known.column(text).chunks))
    return known


def _refuse_unpacking(name: str, lengths: Iterable[NDArray[np.int64]]) -> None:
    """Dictionaries and views let a text stand once for a million rows: 400 bytes that become 60 GB."""
    total = sum(int(each.sum()) for each in lengths)
    if total > MAX_DECODED_BYTES:
        raise PayloadError(
            "bomb",
            f"column {name!r} may unpack to {MAX_DECODED_BYTES} bytes, this one would to {total}",
        )


def _lengths_of_views(views: pa.Array) -> NDArray[np.int64]:
    """As they say; nobody has checked them yet. Unsigned, so that none makes up for another."""
    heads = np.frombuffer(views.buffers()[1], np.uint32)[views.offset * 4 :: 4][: len(views)]
    lengths: NDArray[np.int64] = heads.astype(np.int64)
    lengths[~views.is_valid().to_numpy(zero_copy_only=False)] = 0
    return lengths


def _lengths_of_entries(texts: pa.DictionaryArray) -> NDArray[np.int64]:
    lengths = pc.binary_length(texts.dictionary).fill_null(0).to_numpy().astype(np.int64)
    return lengths[texts.indices.drop_null().to_numpy()]  # type: ignore[no-any-return]


def column(table: pa.Table, name: str, kind: pa.DataType) -> pa.Array:
    """One column as the type of the contract; absent value or text columns are all null."""
    index = table.schema.get_field_index(name)
    if index < 0:
        if name in ("value", "text") and set(table.column_names) & {"value", "text"}:
            return pa.nulls(table.num_rows, kind)
        raise PayloadError(
            "bad_schema",
            f"column {name!r} is missing; expected {BATCH_SCHEMA.names}, got {table.column_names}",
        )
    found = table.column(index)
    if pa.types.is_dictionary(found.type) and name == "name":
        found = found.unify_dictionaries()
        kind = pa.dictionary(pa.int32(), pa.utf8())
    try:
        if found.type != kind:
            found = found.cast(kind, safe=not (name == "value" and pa.types.is_integer(found.type)))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        reason = "bad_value" if isinstance(error, pa.ArrowInvalid) else "bad_schema"
        raise PayloadError(
            reason,  # type: ignore[arg-type]
            f"column {name!r} must be {kind}, got {found.type}: {error}",
        ) from error
    combined = found.combine_chunks()
    if isinstance(combined, pa.ChunkedArray):
        return combined.chunk(0) if combined.num_chunks else pa.array([], kind)
    return combined


def lost(table: pa.Table) -> NDArray[np.bool_] | None:
    """Which values are integers without a float64 of their own; None where there are none."""
    index = table.schema.get_field_index("value")
    if index < 0 or not pa.types.is_integer(table.column(index).type):
        return None
    whole = table.column(index).fill_null(0)
    wide = pa.uint64() if pa.types.is_unsigned_integer(whole.type) else pa.int64()
    found = inexact(whole.cast(wide).to_numpy())
    return found if found.any() else None
