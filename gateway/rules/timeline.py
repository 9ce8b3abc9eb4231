"""The timeline tester: what ``gateway rules test timeline.toml`` runs.

A timeline says which readings arrive when, and which alerts are expected at which moments. It is
played through the same consumer that runs in the gateway, second by second, without a clock::

    [[rules]]
    name = "hot"
    kind = "threshold"
    series = "motor_temperature"
    value = 80
    for_s = 3

    [[timelines]]
    name = "hot for four seconds"
    series = [{ device = "pump-1", name = "motor_temperature", values = "70x2 85x4 70x2" }]
    expect = [
        { at_s = 4, rule = "hot", device = "pump-1", state = "pending" },
        { at_s = 7, rule = "hot", device = "pump-1", state = "firing" },
    ]

Values are one a step of ``interval_s`` from second 0 on, in Prometheus's notation: ``5`` once, ``_``
no reading, ``5x3`` is 5 and three more, ``5+2x3`` is 5 7 9 11, ``5-2x3`` is 5 3 1 -1, ``_x3`` is three
steps without a reading. ``state = "none"`` expects no alert. A score rule needs a ``value``, because no model is loaded here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

import pyarrow as pa
from msgspec import Meta

from gateway.consumer import Outcome
from gateway.feed import Entry
from gateway.rules.config import RuleConfig, check_rules
from gateway.rules.consumer import RulesConsumer
from gateway.rules.machine import SECOND_US
from headrace.codecs import BATCH_SCHEMA
from headrace.config import FaultList, load
from headrace.derived import ALERT_PREFIX, decode_alert
from headrace.limits.consumers import RULES_CLOCK_JUMP_S
from headrace.metrics import Metrics

#: Steps of one timeline: a day at 1 Hz.
MAX_STEPS: Final = 86_400

#: Any moment would do; a round one makes times in a debugger readable.
START_US: Final = 1_700_000_000 * SECOND_US

_TOKEN: Final = re.compile(
    r"(?P<start>_|[-+]?\d+(?:\.\d*)?(?:e[-+]?\d+)?)"
    r"(?:(?P<step>[-+]\d+(?:\.\d*)?)?x(?P<more>\d{1,6}))?"
)

ExpectedState = Literal["pending", "firing", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesLine:
    """The readings of one series."""

    device: str
    name: str
    values: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """The alert that is there, or not, right after second ``at_s``; empty series: any."""

    at_s: Annotated[float, Meta(ge=0)]
    rule: str
    device: str
    state: ExpectedState
    series: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """One test: readings and what is expected of them."""

    name: str
    series: tuple[SeriesLine, ...]
    expect: tuple[Expected, ...]
    interval_s: Annotated[float, Meta(gt=0)] = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineFile:
    """A file of rules and timelines."""

    rules: tuple[RuleConfig, ...]
    timelines: tuple[Timeline, ...]


def run_timeline(path: Path) -> list[str]:
    """Play every timeline of a file; one line for each expectation that was not met.

    Raises:
        ConfigError: the file is not a timeline file.
    """
    file = load(path, TimelineFile, check=_check)
    return [failure for line in file.timelines for failure in _play(file.rules, line)]


def _check(file: TimelineFile, found: FaultList) -> None:
    models = {rule.model: rule.value for rule in file.rules if rule.value is not None}
    check_rules(file.rules, models, found)
    rules = {rule.name for rule in file.rules}
    for index, timeline in enumerate(file.timelines):
        key = f"timelines[{index}]"
        for at, series in enumerate(timeline.series):
            try:
                parse_values(series.values)
            except ValueError as error:
                found.add(f"{key}.series[{at}].values", str(error))
        for at, expected in enumerate(timeline.expect):
            if expected.rule not in rules:
                found.add(f"{key}.expect[{at}].rule", f"no rule {expected.rule!r} in this file")
            if expected.at_s / timeline.interval_s > MAX_STEPS:
                found.add(f"{key}.expect[{at}].at_s", f"a timeline has up to {MAX_STEPS} steps")


def parse_values(text: str) -> list[float | None]:
    """One value a step, None where there is no reading.

    Raises:
        ValueError: text in no such notation.
    """
    values: list[float | None] = []
    for token in text.split():
        match = _TOKEN.fullmatch(token)
        if match is None:
            raise ValueError(f"expected a value like 5, _, 5x3 or 5+2x3, got {token!r}")
        values += _expand(match)
        if len(values) > MAX_STEPS:
            raise ValueError(f"a timeline has up to {MAX_STEPS} steps")
    return values


def _expand(match: re.Match[str]) -> list[float | None]:
    more = int(match["more"] or 0)
    if match["start"] == "_":
        return [None] * max(more, 1)
    start, step = float(match["start"]), float(match["step"] or 0)
    return [start + step * index for index in range(more + 1)]


def _play(rules: tuple[RuleConfig, ...], timeline: Timeline) -> Iterator[str]:
    lines = [(line, parse_values(line.values)) for line in timeline.series]
    last_s = max((expected.at_s for expected in timeline.expect), default=0.0)
    consumer = RulesConsumer(rules, Metrics("gateway"), START_US)
    states: dict[tuple[str, str, str], str] = {}
    for step in range(int(last_s / timeline.interval_s) + 1):
        now = START_US + round(step * timeline.interval_s * SECOND_US)
        for tick in _ticks(now, timeline.interval_s):
            _step(consumer, [], tick, states)
        _step(consumer, _entries(lines, step, now), now, states)
        yield from _compare(timeline, step, states)


def _ticks(now: int, interval_s: float) -> Iterator[int]:
    """The looks of a gateway with nothing to do, up to ``now``: a clock that jumps is no silence."""
    count = math.ceil(interval_s / RULES_CLOCK_JUMP_S)
    for left in range(count - 1, -1, -1):
        at = now - round(left * interval_s / count * SECOND_US)
        if at >= START_US:
            yield at


def _step(
    consumer: RulesConsumer, entries: list[Entry], now: int, states: dict[tuple[str, str, str], str]
) -> None:
    outcome = consumer.step(entries, now)
    consumer.committed(outcome)
    _note(states, outcome)


def _entries(
    lines: list[tuple[SeriesLine, list[float | None]]], step: int, now: int
) -> list[Entry]:
    entries = []
    for line, values in lines:
        value = values[step] if step < len(values) else None
        if value is not None:
            rows = pa.RecordBatch.from_arrays(
                [
                    pa.array([line.name], pa.utf8()).dictionary_encode(),
                    pa.array([now], BATCH_SCHEMA.field("time").type),
                    pa.array([value], pa.float64()),
                    pa.nulls(1, pa.utf8()),
                ],
                schema=BATCH_SCHEMA,
            )
            entries.append(Entry(step + 1, now, line.device, "timeline", step + 1, rows))
    return entries


def _note(states: dict[tuple[str, str, str], str], outcome: Outcome) -> None:
    for derived in outcome.derived:
        for row in derived.rows.to_pylist():
            alert = decode_alert(row["text"])
            key = (row["name"].removeprefix(ALERT_PREFIX), derived.device, alert.series)
            states[key] = alert.state


def _compare(
    timeline: Timeline, step: int, states: dict[tuple[str, str, str], str]
) -> Iterator[str]:
    for expected in timeline.expect:
        if int(expected.at_s / timeline.interval_s) != step:
            continue
        found = {
            state
            for (rule, device, series), state in states.items()
            if (rule, device) == (expected.rule, expected.device)
            and expected.series in ("", series)
            and state in ("pending", "firing")
        }
        if (expected.state == "none" and found) or (expected.state != "none" and expected.state not in found):  # fmt: skip
            got = " and ".join(sorted(found)) or "none"
            where = f"{expected.rule} on {expected.device}"
            yield f"{timeline.name}: at {expected.at_s:g} s expected {where} to be {expected.state}, got {got}"
