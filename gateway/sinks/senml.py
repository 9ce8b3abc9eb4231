"""Columns to SenML records (RFC 8428), with Arrow kernels and no loop over readings.

``{"n":"flow","u":"m3/s","t":1750000000.000000,"v":5.21}``; a text is ``"vs"``. JSON's escapes are worked
out once per series, and once per distinct text. What SenML in JSON cannot say is found before it is
sent: numbers that are not finite, and times before July 1978, which it takes as relative to now.
For every sink that writes JSON: webhook, and the MQTT sink to gateways and to third parties.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gateway.consumer import Rejected
from gateway.sinks.columns import Columns
from gateway.sinks.texts import TEXT, join, quoted
from headrace.codecs.senml_readings import RELATIVE_BELOW


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
    heads = pa.array([_head(name, unit) for name, unit in columns.labels], TEXT)
    return join(heads.take(pa.array(columns.series)), _seconds(columns), _value(columns), "},")


def _head(name: str, unit: str) -> str:
    said = f'{{"n":{quoted(name)},'
    return said + (f'"u":{quoted(unit)},"t":' if unit else '"t":')


def _seconds(columns: Columns) -> pa.Array:
    """Microseconds as decimal seconds, to the last digit: a float would round."""
    whole, fraction = np.divmod(columns.time, 1_000_000)
    digits = pc.utf8_lpad(pa.array(fraction).cast(TEXT), 6, "0")
    return join(pa.array(whole).cast(TEXT), ".", digits)


def _value(columns: Columns) -> pa.Array:
    number = join(',"v":', columns.value.cast(TEXT))
    if columns.value.null_count == 0:
        return number
    texts = columns.text.dictionary_encode()
    distinct = pa.array([quoted(text) for text in texts.dictionary.to_pylist()], TEXT)
    return pc.coalesce(number, join(',"vs":', distinct.take(texts.indices)))
