"""The newest points of a series, 16 bytes each: a tuple of Python objects would take 130."""

from __future__ import annotations

from array import array

import numpy as np
from numpy.typing import NDArray


class Points:
    """Times in microseconds since 1970 UTC, and values, in order of arrival."""

    __slots__ = ("_times", "_values")

    def __init__(self) -> None:
        self._times = array("q")
        self._values = array("d")

    def add(self, times: NDArray[np.int64], values: NDArray[np.float64], keep: int) -> None:
        """Add points, and forget all but the newest ``keep`` (a few more stay until it pays)."""
        self._times.frombytes(times[-keep:].tobytes())
        self._values.frombytes(values[-keep:].tobytes())
        if len(self._times) > keep + keep // 4:
            self._times = self._times[-keep:]
            self._values = self._values[-keep:]

    def since(self, time_us: int) -> list[tuple[int, float]]:
        """Those after a time."""
        found = zip(self._times, self._values, strict=True)
        return [point for point in found if point[0] > time_us]

    def __len__(self) -> int:
        return len(self._times)
