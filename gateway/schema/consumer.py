"""Follows the journal and says when a series changes its type or unit, or outgrows float64.

A notice is a text reading ``gateway/schema`` of the device (a ``Notice`` as JSON), so it is journalled,
landed and queried like everything; the API lists the newest. What is known is kept as this consumer's
state, one key a device, and survives restarts.

Of a device that sent many batches at once the newest are looked at: a type that has changed is seen in
the next ones as well, and a backlog must not cost a second decoding of everything.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa

from gateway.consumer import Consumer, Derived, Outcome
from gateway.feed import Entry
from gateway.schema.known import Known, Notice, Type
from headrace.codecs import BATCH_SCHEMA
from headrace.derived import SCHEMA_NAME, is_derived
from headrace.limits.consumers import SCHEMA_MAX_SERIES
from headrace.metrics import Metrics

logger = logging.getLogger(__name__)

_NUMBER: Final[tuple[Type, ...]] = ("number",)
_TEXT: Final[tuple[Type, ...]] = ("text",)

#: Readings up to which Python is faster than NumPy's start.
_FEW: Final = 16

_LOOKS_PER_DEVICE: Final = 4
_KEY: Final = "device/"


class SchemaConsumer(Consumer):
    """Notices changes of types and units."""

    name = "schema"
    required = False

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._known = Known()
        self._is_full = False

    def restore(self, state: Mapping[str, bytes], now_us: int) -> None:
        for key, stored in state.items():
            if key.startswith(_KEY):
                self._known.restore(key.removeprefix(_KEY), stored)

    def step(self, entries: Sequence[Entry], now_us: int) -> Outcome:
        found: dict[str, list[Notice]] = {}
        changed: dict[str, None] = {}
        left = Counter(entry.device for entry in entries)
        for entry in entries:
            left[entry.device] -= 1
            if left[entry.device] >= _LOOKS_PER_DEVICE:
                continue
            notices, is_changed = self._known.look(
                entry.device, types_of(entry.rows), entry.units, entry.widened
            )
            if notices:
                found.setdefault(entry.device, []).extend(notices)
            if is_changed:
                changed[entry.device] = None
        self._say(found)
        return Outcome(
            derived=[_derived(device, notices, now_us) for device, notices in found.items()],
            state={_KEY + device: self._known.encode(device) for device in changed},
        )

    def _say(self, found: Mapping[str, Sequence[Notice]]) -> None:
        for device, notices in found.items():
            for notice in notices:
                self._metrics.count("schema_notices", what=notice.what)
                logger.warning(
                    "%s: series %r was %s and is now %s too (%s)", device, notice.series[:80],
                    notice.old, notice.new, notice.what, extra={"device": device, "what": notice.what},
                )  # fmt: skip
        if self._known.count >= SCHEMA_MAX_SERIES and not self._is_full:
            self._is_full = True
            logger.warning("%d series: types and units of more are not followed", SCHEMA_MAX_SERIES)


def types_of(rows: pa.RecordBatch) -> dict[str, tuple[Type, ...]]:
    """The series of a batch that devices have sent, and whether they have numbers, texts or both."""
    name, text = rows.column(0), rows.column(3)
    names: list[str] = name.dictionary.to_pylist()
    if text.null_count == len(text):  # as almost always
        return {each: _NUMBER for each in _used(names, name.indices) if not is_derived(each)}
    found: dict[str, tuple[Type, ...]] = {}
    for column, kind in ((rows.column(2), _NUMBER), (text, _TEXT)):
        for each in _used(names, name.indices.filter(column.is_valid())):
            if not is_derived(each):
                found[each] = found.get(each, ()) + kind
    return found


def _used(names: list[str], indices: pa.Array) -> list[str]:
    """The names that occur; batches that were cut from one set of columns share a dictionary."""
    if len(names) == 1 and len(indices):
        return names
    if len(indices) <= _FEW:
        return [names[code] for code in set(indices.to_pylist())]
    return [names[code] for code in np.unique(indices.to_numpy(zero_copy_only=False)).tolist()]


def _derived(device: str, notices: Sequence[Notice], now_us: int) -> Derived:
    columns = [
        pa.array([SCHEMA_NAME] * len(notices), pa.utf8()).dictionary_encode(),
        pa.array([now_us] * len(notices), pa.int64()).cast(BATCH_SCHEMA.field("time").type),
        pa.nulls(len(notices), pa.float64()),
        pa.array([msgspec.json.encode(notice).decode() for notice in notices], pa.utf8()),
    ]
    return Derived(device, pa.RecordBatch.from_arrays(columns, schema=BATCH_SCHEMA))
