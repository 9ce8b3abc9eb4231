"""Looks at the gateway every so often, and follows the alerts that pass by in the journal.

A consumer, because what it makes must be in the journal exactly once, and because which alerts are
firing has to survive a restart: both is what a consumer's outcome is for. It never holds the journal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import msgspec
import pyarrow.compute as pc

from gateway.consumer import Consumer, Outcome
from gateway.feed import Entry
from gateway.vitals import firing
from gateway.vitals.firing import Key, Series
from gateway.vitals.look import Look, Vital, derived, device_of, readings
from headrace.derived import ALERT_PREFIX, Alert, decode_alert
from headrace.errors import PayloadError
from headrace.limits.consumers import VITALS_MAX_FIRING

_SECOND_US: Final = 1_000_000


class Looks(Protocol):
    """Whoever takes the look (``gateway.vitals.source.Source``)."""

    def look(self, now_us: int, elapsed_s: float) -> Look:
        """What there is to see."""
        ...


@dataclass(slots=True)
class _Step:
    """What one step changes; taken over when it is on disk."""

    looked: int
    firing: dict[Key, Series] = field(default_factory=dict)


class VitalsConsumer(Consumer):
    """Makes readings of the gateway's own state.

    Args:
        site: names the device that they belong to.
        interval_s: between two looks; the first is that long after the start.
        source: takes the look.
    """

    name = "vitals"
    required = False

    def __init__(self, *, site: str, interval_s: float, source: Looks) -> None:
        self._device = device_of(site)
        self._interval_us = round(interval_s * _SECOND_US)
        self._source = source
        self._looked = 0
        self._firing: dict[Key, Series] = {}
        self._step: _Step | None = None

    def restore(self, state: Mapping[str, bytes], now_us: int) -> None:
        self._looked = now_us
        for key, value in state.items():
            device, rule = msgspec.json.decode(key, type=tuple[str, str])
            self._firing[device, rule] = msgspec.json.decode(value, type=dict[str, str])

    def step(self, entries: Sequence[Entry], now_us: int) -> Outcome:
        self._step = step = _Step(self._looked)
        found = [one for entry in entries for one in self._follow(step, entry)]
        # A clock that was set back must not silence the gateway until it has caught up.
        if not 0 <= now_us - self._looked < self._interval_us:
            found += self._look(step, now_us)
        changed = {_state_key(key): _state(series) for key, series in step.firing.items()}
        return Outcome(tuple(derived(found)), changed)

    def committed(self, outcome: Outcome) -> None:
        step, self._step = self._step, None
        if step is None:
            return
        self._looked = step.looked
        self._firing |= step.firing
        self._firing = {key: series for key, series in self._firing.items() if series}

    def _follow(self, step: _Step, entry: Entry) -> Iterator[tuple[str, Vital]]:
        for rule, time, alert in _alerts(entry):
            key = (entry.device, rule)
            before = step.firing.get(key, self._firing.get(key, {}))
            now = firing.after(before, alert)
            if not before and len(self._firing) + len(step.firing) >= VITALS_MAX_FIRING:
                continue
            if before or now:
                step.firing[key] = now
                # Not before the last look, which would then keep the last word on this series.
                at = max(time, self._looked)
                for vital in firing.numbers(rule, before, now, at):
                    yield entry.device, vital
                yield entry.device, firing.sentence(rule, alert, time)

    def _look(self, step: _Step, now_us: int) -> Iterator[tuple[str, Vital]]:
        elapsed_s = max(0, now_us - self._looked) / _SECOND_US
        yield from readings(self._source.look(now_us, elapsed_s), self._device, now_us)
        for (device, rule), series in (self._firing | step.firing).items():
            for vital in firing.numbers(rule, {}, series, now_us):
                yield device, vital
        step.looked = now_us


def _alerts(entry: Entry) -> Iterator[tuple[str, int, Alert]]:
    """(rule, time, alert) of a batch; nearly all batches have none."""
    names = entry.rows.column("name")
    if not any(name.startswith(ALERT_PREFIX) for name in names.dictionary.to_pylist()):
        return
    rows = entry.rows.filter(pc.starts_with(names.cast("string"), ALERT_PREFIX))
    times = rows.column("time").cast("int64").to_pylist()
    for name, time, text in zip(
        rows.column("name").to_pylist(), times, rows.column("text").to_pylist(), strict=True
    ):
        try:
            yield name.removeprefix(ALERT_PREFIX), time, decode_alert(text or "")
        except PayloadError:
            continue  # journalled by an older gateway, when a device might still use the name


def _state_key(key: Key) -> str:
    return msgspec.json.encode(key).decode()


def _state(series: Series) -> bytes | None:
    return msgspec.json.encode(series) if series else None
