"""Columns to SenML records (RFC 8428), with Arrow kernels and no loop over readings.

``{"n":"flow","u":"m3/s","t":1750000000.000000,"v":5.21}``; a text is ``"vs"``. JSON's escapes are worked
out once per series, and once per distinct text. What SenML in JSON cannot say is found before it is
sent: numbers that are not finite, and times before July 1978, which it takes as relative to now.
"""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gateway.consumer import Rejected
from gateway.sinks.columns import Columns
from headrace.codecs.senml import RELATIVE_BELOW

_TEXT: Final = pa.large_utf8()


def sayable(columns: Columns) -> tuple[Columns, list[Rejected]]:
    """What SenML can say, and the rejections of the rest."""
    finite = pc.is_finite(columns.value).fill_null(True).to_numpy(zero_copy_only=False)
    early = columns.time < RELATIVE_BELOW * 1_000_000
    rejected = [
        *columns.rejections(~finite, "not_finite", "JSON has no infinity and no NaN"),
        *columns.rejections(
            finite & early, "bad_time", "SenML takes times before July 1978 as relative to now"
        ),
    ]
    return columns.take(finite & ~early), rejected


def records(columns: Columns) -> pa.Array:
    """One JSON object a reading, each with a comma behind it."""
    heads = pa.array([_head(name, unit) for name, unit in columns.labels], _TEXT)
    return _join(heads.take(pa.array(columns.series)), _seconds(columns), _value(columns), "},")


def _head(name: str, unit: str) -> str:
    said = f'{{"n":{quoted(name)},'
    return said + (f'"u":{quoted(unit)},"t":' if unit else '"t":')


def quoted(text: str) -> str:
    """A JSON string."""
    return msgspec.json.encode(text).decode()


def _seconds(columns: Columns) -> pa.Array:
    """Microseconds as decimal seconds, to the last digit: a float would round."""
    whole, fraction = np.divmod(columns.time, 1_000_000)
    digits = pc.utf8_lpad(pa.array(fraction).cast(_TEXT), 6, "0")
    return _join(pa.array(whole).cast(_TEXT), ".", digits)


def _value(columns: Columns) -> pa.Array:
    number = _join(',"v":', columns.value.cast(_TEXT))
    if columns.value.null_count == 0:
        return number
    texts = columns.text.dictionary_encode()
    distinct = pa.array([quoted(text) for text in texts.dictionary.to_pylist()], _TEXT)
    return pc.coalesce(number, _join(',"vs":', distinct.take(texts.indices)))


def _join(*parts: pa.Array | str) -> pa.Array:
    """Columns and words side by side, row by row; null where a column is null."""
    words = [pa.scalar(part, _TEXT) if isinstance(part, str) else part for part in parts]
    return pc.binary_join_element_wise(*words, pa.scalar("", _TEXT))
