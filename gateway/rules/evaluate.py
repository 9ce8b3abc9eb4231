"""Columns to runs of a condition, and runs to transitions.

Work per batch is a few numpy passes; Python loops only over (rule, series) pairs and over changes of
the condition. Readings of a series that are not newer than its last judged one are left out: the
past is not judged again (a late history lane fills the lake, it does not wake people up). Times more
than ``RULES_MAX_AHEAD_S`` ahead of their arrival are judged as that: one reading from 2100 must not
make a rule blind until then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gateway.feed import Entry
from gateway.rules.config import Op, RuleConfig
from gateway.rules.machine import SECOND_US, Active, Run, Timing, Transition, observe
from headrace.limits.consumers import RULES_MAX_AHEAD_S

Times = NDArray[np.int64]
Values = NDArray[np.float64]

_OPERATORS: Final[dict[Op, Callable[[Values, float], NDArray[Any]]]] = {
    ">": np.greater,
    ">=": np.greater_equal,
    "<": np.less,
    "<=": np.less_equal,
    "==": np.equal,
    "!=": np.not_equal,
}


@dataclass(frozen=True, slots=True)
class Tracked:
    """What is remembered of one series under one rule: last judged time and the alert, if any."""

    judged: int = -1
    active: Active | None = None

    def no_later_than(self, now_us: int) -> Tracked:
        """The same where the gateway's clock was set back: what it took for later has not come yet."""
        active = self.active
        if active is not None:
            since = active.false_since
            active = Active(
                active.state,
                min(active.started, now_us),
                None if since is None else min(since, now_us),
            )
        return Tracked(self.judged if self.judged <= now_us else -1, active)


@dataclass(frozen=True, slots=True)
class Series:
    """The numeric readings of one series in one batch, in time order."""

    name: str
    times: Times
    values: Values


class EntryColumns:
    """One batch as numpy columns; the readings of a series are cut out when a rule asks for them."""

    def __init__(self, entry: Entry) -> None:
        name, time, value = entry.rows.column(0), entry.rows.column(1), entry.rows.column(2)
        self.names: list[str] = name.dictionary.to_pylist()
        self._codes: NDArray[np.int32] = name.indices.to_numpy(zero_copy_only=False)
        latest = entry.received_at + RULES_MAX_AHEAD_S * SECOND_US
        times = time.cast(pa.int64()).to_numpy(zero_copy_only=False)
        self._times: Times = np.minimum(times, latest)
        self._values: Values = value.to_numpy(zero_copy_only=False)
        self._cut: dict[int, Series] = {}

    def matching(self, glob: str) -> Iterator[Series]:
        """Each series whose name fits and that has a number to judge."""
        for code, name in enumerate(self.names):
            if fnmatchcase(name, glob):
                series = self._series(code)
                if series.times.size:
                    yield series

    def _series(self, code: int) -> Series:
        if code not in self._cut:
            mask = (self._codes == code) & ~np.isnan(self._values)
            times, values = self._times[mask], self._values[mask]
            if times.size > 1 and np.any(np.diff(times) < 0):
                order = np.argsort(times, kind="stable")
                times, values = times[order], values[order]
            self._cut[code] = Series(self.names[code], times, values)
        return self._cut[code]


def judge(
    rule: RuleConfig, series: Series, tracked: Tracked, timing: Timing
) -> tuple[Tracked, list[Transition]]:
    """What one batch does to one series under one rule."""
    start = int(np.searchsorted(series.times, tracked.judged, side="right"))
    times, values = series.times[start:], series.values[start:]
    if not times.size or rule.value is None:
        return tracked, []
    is_true = _OPERATORS[rule.op](values, rule.value)
    active = tracked.active
    if active is None and not is_true.any():
        return Tracked(int(times[-1])), []
    said: list[Transition] = []
    for run in _runs(is_true, times, values):
        active, transitions = observe(active, run, timing)
        said += transitions
    return Tracked(int(times[-1]), active), said


def _runs(is_true: NDArray[Any], times: Times, values: Values) -> Iterator[Run]:
    edges = np.flatnonzero(np.diff(is_true)) + 1
    for first, end in zip([0, *edges.tolist()], [*edges.tolist(), len(times)], strict=True):
        yield Run(
            bool(is_true[first]),
            int(times[first]),
            int(times[end - 1]),
            _finder(times[first:end], values[first:end]),
        )


def _finder(times: Times, values: Values) -> Callable[[int], tuple[int, float] | None]:
    def at(time: int) -> tuple[int, float] | None:
        index = int(np.searchsorted(times, time, side="left"))
        return (int(times[index]), float(values[index])) if index < times.size else None

    return at
