"""Readings in columns to feature rows: one row for each (device, time bucket).

A batch holds one reading a row; a model wants all its features of one time side by side. So the
readings of all devices in a step are scattered into one matrix: row = rank of (device, bucket),
column = feature. Numpy passes only; Python loops over batches and their dictionaries of names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gateway.feed import Entry

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Cells:
    """Single feature values on their way into a matrix; all columns have the same length."""

    device: Ints
    feature: Ints
    time: Ints
    value: Floats

    @classmethod
    def join(cls, parts: Sequence[Cells]) -> Cells:
        """Cells behind one another; a later one of the same place replaces an earlier one."""
        return cls(
            np.concatenate([part.device for part in parts] or [np.empty(0, np.int64)]),
            np.concatenate([part.feature for part in parts] or [np.empty(0, np.int64)]),
            np.concatenate([part.time for part in parts] or [np.empty(0, np.int64)]),
            np.concatenate([part.value for part in parts] or [np.empty(0)]),
        )


@dataclass(frozen=True, slots=True)
class Grid:
    """Rows sorted by device, then time; ``values`` has NaN where a feature is missing.

    ``time`` is the last reading's time of a row, ``bucket`` the bucket's number.
    """

    device: Ints
    bucket: Ints
    time: Ints
    values: Floats

    @property
    def complete(self) -> NDArray[np.bool_]:
        """Which rows have all features."""
        missing = np.isnan(self.values).sum(axis=1)
        complete: NDArray[np.bool_] = np.equal(missing, 0)
        return complete

    def take(self, rows: NDArray[np.bool_]) -> Grid:
        """The chosen rows."""
        return Grid(self.device[rows], self.bucket[rows], self.time[rows], self.values[rows])


def cells(entry: Entry, device: int, features: Mapping[str, int]) -> Cells | None:
    """The feature values of one batch; None where it has none.

    Args:
        device: the number that stands for the entry's device.
        features: series name → column. Values that are not finite numbers are left out.
    """
    name = entry.rows.column(0)
    columns = np.array([features.get(text, -1) for text in name.dictionary.to_pylist()], np.int64)
    if not (columns >= 0).any():
        return None
    feature = columns[name.indices.to_numpy(zero_copy_only=False)]
    value = entry.rows.column(2).to_numpy(zero_copy_only=False)
    time = entry.rows.column(1).cast(pa.int64()).to_numpy(zero_copy_only=False)
    wanted = (feature >= 0) & np.isfinite(value)
    if not wanted.any():
        return None
    return Cells(
        np.full(int(wanted.sum()), device, np.int64), feature[wanted], time[wanted], value[wanted]
    )


def pivot(found: Cells, *, align_us: int, features: int) -> Grid:
    """Put cells into rows."""
    bucket = found.time // align_us
    # Ranks instead of numbers: device times bucket would overflow 64 bits.
    buckets, rank = np.unique(bucket, return_inverse=True)
    place, row = np.unique(found.device * max(len(buckets), 1) + rank, return_inverse=True)
    values = np.full((len(place), features), np.nan)
    values[row, found.feature] = found.value
    time = np.full(len(place), np.iinfo(np.int64).min)
    np.maximum.at(time, row, found.time)
    return Grid(place // max(len(buckets), 1), buckets[place % max(len(buckets), 1)], time, values)
