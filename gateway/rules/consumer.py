"""The rules consumer: readings, scores and silence in, alert transitions out.

``step`` works on a copy of what it changes and ``committed`` takes the copy over, so a step that is
repeated (its commit failed) gives the same answer again. What survives a restart, in the same
transaction as the cursor: every pending or firing alert with the last judged time of its series, and
which devices exist. The last judged time of series without an alert is not stored: a late reading
may be judged once more after a restart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from logging import getLogger
from typing import Literal

import msgspec
import pyarrow as pa

from gateway.consumer import Consumer, Derived, Outcome
from gateway.feed import Entry
from gateway.rules import silence
from gateway.rules.config import RuleConfig
from gateway.rules.evaluate import EntryColumns, Tracked, judge
from gateway.rules.machine import Timing, Transition
from gateway.rules.stored import ALERT_KEY, DEVICE_KEY, Key, alert_key, load_alert, store_alert
from headrace.codecs import BATCH_SCHEMA
from headrace.derived import ALERT_PREFIX, Alert, alert_name, encode_alert, is_derived
from headrace.limits.consumers import RULES_MAX_DEVICES, RULES_MAX_SERIES
from headrace.metrics import Metrics

_log = getLogger(__name__)


@dataclass(slots=True)
class _Step:
    """What one step changes; nothing else is touched until it is on disk."""

    tracked: dict[Key, Tracked] = field(default_factory=dict)
    heard: dict[str, int] = field(default_factory=dict)
    said: list[tuple[Key, Transition]] = field(default_factory=list)


class RulesConsumer(Consumer):
    """Evaluates all rules.

    Args:
        rules: score rules have their threshold already (``gateway.rules.resolve``).
        metrics: of the gateway.
        started_us: when this gateway started to listen.
    """

    name = "rules"

    def __init__(self, rules: Sequence[RuleConfig], metrics: Metrics, started_us: int) -> None:
        self._rules = {rule.name: rule for rule in rules}
        self._timing = {
            rule.name: Timing.of(for_s=rule.for_s, keep_firing_for_s=rule.keep_firing_for_s)
            for rule in rules
        }
        self._silences = [rule for rule in rules if rule.kind == "silence"]
        judging = [rule for rule in rules if rule.kind != "silence"]
        # Devices cannot send what is derived, so a rule is about the one or the other.
        self._of_derived = [rule for rule in judging if is_derived(rule.series_glob)]
        self._of_devices = [rule for rule in judging if not is_derived(rule.series_glob)]
        self._derived_streams: dict[str, bool] = {}
        self._metrics = metrics
        self._listening = silence.Listening(started_us, started_us)
        self._tracked: dict[Key, Tracked] = {}
        self._heard: dict[str, int] = {}
        self._orphans: list[tuple[Key, Tracked]] = []
        self._step: _Step | None = None
        self._too_many_said = False

    def restore(self, state: Mapping[str, bytes], now_us: int) -> None:
        for key, value in state.items():
            if key.startswith(ALERT_KEY):
                alert, tracked = load_alert(value)
                # Of the future is what a clock said that was ahead; or this one is behind, which does no harm.
                judged = tracked.judged if tracked.judged <= now_us else -1
                self._restore_alert(alert, Tracked(judged, tracked.active))
            elif key.startswith(DEVICE_KEY):
                # When it was heard last is not stored; "not since we started" is what is known.
                self._heard.setdefault(key.removeprefix(DEVICE_KEY), self._listening.since)
        for (_, device, series), tracked in self._tracked.items():
            if not series and tracked.active is not None:
                self._heard[device] = tracked.active.started

    def take_over(self, before: Consumer) -> None:
        """Who was heard when, and how far each series was judged, so that nothing is judged twice."""
        if not isinstance(before, RulesConsumer):
            return
        self._listening = before._listening
        self._heard = self._heard | before._heard
        for key, tracked in before._tracked.items():
            if tracked.active is None and self._still_judged(key):
                self._tracked.setdefault(key, tracked)

    def _restore_alert(self, key: Key, tracked: Tracked) -> None:
        if self._still_judged(key):
            self._tracked[key] = tracked
        else:
            self._orphans.append((key, tracked))

    def _still_judged(self, key: Key) -> bool:
        name, device, series = key
        rule = self._rules.get(name)
        if rule is None or not fnmatchcase(device, rule.device):
            return False
        return fnmatchcase(series, rule.series_glob) if rule.kind != "silence" else not series

    def step(self, entries: Sequence[Entry], now_us: int) -> Outcome:
        # While batches come in, their arrival is the time: a gateway that is behind must not take
        # what it has not read yet for silence.
        now = max((entry.received_at for entry in entries), default=now_us)
        # Taken over at once: a look that changes nothing is not committed.
        self._listening = self._listening.look(now)
        if self._listening.set_back:
            self._forget_after(now)
        step = _Step()
        for key, tracked in self._orphans:
            _end_orphan(step, key, tracked, now)
        for entry in entries:
            self._judge_entry(step, entry)
        self._judge_silence(step)
        self._step = step
        return Outcome(tuple(self._derived(step.said)), self._state(step))

    def committed(self, outcome: Outcome) -> None:
        step = self._step
        if step is None:
            return
        self._orphans = []
        self._heard |= step.heard
        self._tracked |= step.tracked
        for (rule, _, _), transition in step.said:
            self._metrics.count("alerts", rule=rule, state=transition.state)
        self._forget_oldest()
        self._step = None

    def _forget_after(self, now: int) -> None:
        """Rules would be blind, and devices never silent, until the time comes again that the clock had."""
        self._heard = {device: min(at, now) for device, at in self._heard.items()}
        self._tracked = {key: each.no_later_than(now) for key, each in self._tracked.items()}

    def _judge_entry(self, step: _Step, entry: Entry) -> None:
        if not self._concerns(entry):
            return
        columns = EntryColumns(entry)
        if all(name.startswith(ALERT_PREFIX) for name in columns.names):
            return
        derived = all(is_derived(name) for name in columns.names)
        if not derived:
            self._hear(step, entry)
        # series = "*" means what devices send.
        for rule in self._of_derived if derived else self._of_devices:
            if fnmatchcase(entry.device, rule.device):
                self._judge_rule(step, rule, entry.device, columns)

    def _concerns(self, entry: Entry) -> bool:
        """Whether any rule is about such a batch: a gateway with built-in rules alone judges few."""
        if self._of_devices or self._silences:
            return True
        # What is derived has a stream of its own, so one look at each stream is enough.
        known = self._derived_streams.get(entry.stream)
        if known is None:
            if len(self._derived_streams) >= RULES_MAX_SERIES:
                self._derived_streams.clear()
            known = is_derived(str(entry.rows.column(0)[0].as_py()))
            self._derived_streams[entry.stream] = known
        return known

    def _judge_rule(
        self, step: _Step, rule: RuleConfig, device: str, columns: EntryColumns
    ) -> None:
        for series in columns.matching(rule.series_glob):
            key = (rule.name, device, series.name)
            before = step.tracked.get(key) or self._tracked.get(key) or Tracked()
            after, said = judge(rule, series, before, self._timing[rule.name])
            step.tracked[key] = after
            step.said += [(key, transition) for transition in said]

    def _hear(self, step: _Step, entry: Entry) -> None:
        if not self._silences:
            return
        device = entry.device
        known = step.heard.get(device, self._heard.get(device))
        if known is None and len(self._heard) + len(step.heard) >= RULES_MAX_DEVICES:
            self._say_too_many(device)
            return
        step.heard[device] = max(known or 0, entry.received_at)

    def _say_too_many(self, device: str) -> None:
        if not self._too_many_said:
            _log.warning(
                "more than %d devices: silence of %s and of those that come later is not watched",
                RULES_MAX_DEVICES, device,
            )  # fmt: skip
            self._too_many_said = True

    def _judge_silence(self, step: _Step) -> None:
        heard = self._heard | step.heard if step.heard else self._heard
        for rule in self._silences:
            for device, at in silence.concerned(rule, heard):
                key = (rule.name, device, "")
                before = self._tracked.get(key) or Tracked()
                active, said = silence.judge(rule, before.active, at, self._listening)
                if said is not None:
                    step.tracked[key] = Tracked(said.time, active)
                    step.said.append((key, said))

    def _state(self, step: _Step) -> dict[str, bytes | None]:
        state: dict[str, bytes | None] = {}
        for key, _ in self._orphans:
            state[alert_key(key)] = None
        for key, tracked in step.tracked.items():
            if tracked.active is not None:
                state[alert_key(key)] = store_alert(key, tracked.judged, tracked.active)
            elif (before := self._tracked.get(key)) is not None and before.active is not None:
                state[alert_key(key)] = None
        for device, at in step.heard.items():
            if device not in self._heard:
                state[DEVICE_KEY + device] = msgspec.msgpack.encode(at)
        return state

    def _derived(self, said: Sequence[tuple[Key, Transition]]) -> list[Derived]:
        by_device: defaultdict[str, list[tuple[Key, Transition]]] = defaultdict(list)
        for key, transition in said:
            by_device[key[1]].append((key, transition))
        return [Derived(device, self._rows(said)) for device, said in by_device.items()]

    def _rows(self, said: Sequence[tuple[Key, Transition]]) -> pa.RecordBatch:
        names = pa.array([alert_name(key[0]) for key, _ in said], pa.utf8()).dictionary_encode()
        times = pa.array([transition.time for _, transition in said], pa.int64())
        texts = [encode_alert(self._alert(key, transition)) for key, transition in said]
        columns = [names, times.cast(BATCH_SCHEMA.field("time").type)]
        columns += [pa.nulls(len(said), pa.float64()), pa.array(texts, pa.utf8())]
        return pa.RecordBatch.from_arrays(columns, schema=BATCH_SCHEMA)

    def _alert(self, key: Key, transition: Transition) -> Alert:
        rule = self._rules.get(key[0])
        return Alert(
            transition.state,
            rule.severity if rule is not None else "info",
            key[2],
            transition.started,
            transition.ended,
            transition.value,
            summary(rule, key, transition.value) if rule is not None else "the rule was removed",
        )

    def _forget_oldest(self) -> None:
        surplus = len(self._tracked) - RULES_MAX_SERIES
        if surplus > 0:
            idle = [key for key, tracked in self._tracked.items() if tracked.active is None]
            for key in idle[:surplus]:
                del self._tracked[key]


def summary(rule: RuleConfig, key: Key, value: float) -> str:
    """The text for people of one transition."""
    return rule.summary_template.format(
        rule=rule.name,
        device=key[1],
        series=key[2],
        value=value,
        threshold=rule.value if rule.value is not None else rule.for_s,
        severity=rule.severity,
    )


def _end_orphan(step: _Step, key: Key, tracked: Tracked, now: int) -> None:
    """End an alert whose rule is gone: nobody else ever would."""
    if tracked.active is not None:
        state: Literal["resolved", "inactive"]
        state = "resolved" if tracked.active.state == "firing" else "inactive"
        step.said.append((key, Transition(state, now, 0.0, tracked.active.started, now)))
