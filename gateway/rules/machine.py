"""The alert state machine: one per (rule, device, series), fed with runs of a condition.

Time is reading time and an argument. Semantics are Prometheus's (``for`` and ``keep_firing_for``).

==========  =============================  ==========  =============================================
state       happens                        next        said
==========  =============================  ==========  =============================================
(none)      true, for_s = 0                firing      firing at that reading
(none)      true                           pending     pending at that reading
pending     true for for_s                 firing      firing at the first reading that late
pending     false                          (none)      inactive
firing      false, keep_firing_for_s = 0   (none)      resolved
firing      false                          firing      nothing; remembers since when
firing      false for keep_firing_for_s    (none)      resolved at the first reading that late
firing      true again before that         firing      nothing; forgets that it was false
==========  =============================  ==========  =============================================

Nothing happens between readings: a device that is silent keeps its alerts as they are, and its
silence is a rule of its own. The time until a condition has held long enough counts across a gap.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Literal

from headrace.derived import AlertState

SECOND_US: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Active:
    """A pending or firing alert; times in microseconds since 1970 UTC.

    ``started`` is when the condition became true; ``false_since`` is set while a firing alert is
    kept firing although its condition is over.
    """

    state: Literal["pending", "firing"]
    started: int
    false_since: int | None = None


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of state at a reading."""

    state: AlertState
    time: int
    value: float
    started: int
    ended: int | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring readings of one series for which the condition has one answer.

    ``at(time)`` is the first reading of the run that is not before ``time``, as (time, value), or
    None where the run ends earlier. So the machine looks at runs, never at single readings.
    """

    is_true: bool
    first: int
    last: int
    at: Callable[[int], tuple[int, float] | None]


@dataclass(frozen=True, slots=True)
class Timing:
    """How long is long enough, in microseconds."""

    hold: int
    keep: int

    @classmethod
    def of(cls, *, for_s: float, keep_firing_for_s: float) -> Timing:
        return cls(round(for_s * SECOND_US), round(keep_firing_for_s * SECOND_US))


def observe(
    active: Active | None, run: Run, timing: Timing
) -> tuple[Active | None, list[Transition]]:
    """The state behind a run, and what happened in it."""
    return _on_true(active, run, timing) if run.is_true else _on_false(active, run, timing)


def _on_true(
    active: Active | None, run: Run, timing: Timing
) -> tuple[Active | None, list[Transition]]:
    if active is not None and active.state == "firing":
        return (active if active.false_since is None else replace(active, false_since=None)), []
    started = active.started if active is not None else run.first
    due = run.at(started + timing.hold)
    said = []
    if active is None and (due is None or due[0] > run.first):
        said.append(_said("pending", run.at(run.first), started))
    if due is None:
        return Active("pending", started), said
    return Active("firing", started), [*said, _said("firing", due, started)]


def _on_false(
    active: Active | None, run: Run, timing: Timing
) -> tuple[Active | None, list[Transition]]:
    if active is None:
        return None, []
    if active.state == "pending":
        return None, [_said("inactive", run.at(run.first), active.started, ends=True)]
    since = run.first if active.false_since is None else active.false_since
    due = run.at(since + timing.keep)
    if due is None:
        return replace(active, false_since=since), []
    return None, [_said("resolved", due, active.started, ends=True)]


def _said(
    state: AlertState, reading: tuple[int, float] | None, started: int, *, ends: bool = False
) -> Transition:
    if reading is None:
        raise ValueError("a run has a reading at its own first time")
    time, value = reading
    return Transition(state, time, value, started, time if ends else None)
