"""The inference consumer: batches in, one score per device and time out.

One call of a model per step, over all devices together. A row is scored once, as soon as it has all
features; readings that come for the row that was scored last are left out, after a restart too
(``pending``). ``step`` proposes, ``committed`` takes over, so that a repeated step gives the same answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gateway.consumer import Consumer, Derived, Outcome
from gateway.feed import Entry
from gateway.inference import pending as pendings
from gateway.inference.config import ModelConfig
from gateway.inference.pending import Pending
from gateway.inference.pivot import Cells, Floats, Grid, Ints, cells, pivot
from headrace import cards
from headrace.codecs import BATCH_SCHEMA
from headrace.derived import is_derived, score_name
from headrace.limits.consumers import INFERENCE_MAX_PENDING_DEVICES
from headrace.metrics import Metrics
from headrace.models.runtime import LiteRtScorer, Scorer


def thresholds(models: Sequence[ModelConfig]) -> dict[str, float]:
    """Model name → score above which it is not normal, for the rules.

    Raises:
        ModelError: a card cannot be read.
    """
    found: dict[str, float] = {}
    for config in models:
        card = cards.read_card(config.folder)
        found[card.name] = config.threshold if config.threshold is not None else card.threshold
    return found


class InferenceConsumer(Consumer):
    """Runs every configured model.

    Raises:
        ModelError: a model cannot be loaded.
    """

    name = "inference"

    def __init__(self, models: Sequence[ModelConfig], metrics: Metrics) -> None:
        self._models = [_load(number, config, metrics) for number, config in enumerate(models)]

    def restore(self, state: Mapping[str, bytes], now_us: int) -> None:
        for model in self._models:
            model.restore(state)

    def step(self, entries: Sequence[Entry], now_us: int) -> Outcome:
        measured = [entry for entry in entries if not _is_derived(entry)]
        derived: list[Derived] = []
        state: dict[str, bytes | None] = {}
        for model in self._models:
            scored, changed = model.step(measured)
            derived += scored
            state |= changed
        return Outcome(tuple(derived), state)

    def committed(self, outcome: Outcome) -> None:
        for model in self._models:
            model.committed()


@dataclass(slots=True)
class _Step:
    """What one step changes in a model's memory."""

    pending: dict[str, Pending] = field(default_factory=dict)
    scored: int = 0
    given_up: int = 0


class Model:
    """One model at work on the devices that it is configured for.

    Args:
        key: prefix of its stored state, unique among the models.
        name: of the model; names the series of its scores.
        features: names of the series, in the order of the model's input.
    """

    def __init__(
        self,
        *,
        key: str,
        name: str,
        device: str,
        features: Sequence[str],
        align_us: int,
        scorer: Scorer,
        metrics: Metrics,
    ) -> None:
        self._key = key
        self._name = name
        self._device = device
        self._columns = {feature: column for column, feature in enumerate(features)}
        self._align_us = align_us
        self._scorer = scorer
        self._metrics = metrics
        self._pending: dict[str, Pending] = {}
        self._step: _Step | None = None

    def restore(self, state: Mapping[str, bytes]) -> None:
        """Take back unfinished times."""
        for key, value in state.items():
            if key.startswith(self._key):
                device = key.removeprefix(self._key)
                self._pending[device] = pendings.load(value, len(self._columns))

    def step(self, entries: Sequence[Entry]) -> tuple[list[Derived], dict[str, bytes | None]]:
        """Scores of every row that is complete now, and the stored state that changes."""
        self._step = step = _Step()
        devices, found = self._gather(entries)
        if not devices:
            return [], {}
        grid = pivot(found, align_us=self._align_us, features=len(self._columns))
        done = np.array([self._of(device).done for device in devices], np.int64)
        again = grid.bucket == done[grid.device]
        often = np.isin(np.arange(len(devices)), grid.device[again])
        grid = grid.take(~again)
        complete = grid.complete
        ready = grid.take(complete)
        scores = self._scorer.score(ready.values)
        self._carry(step, devices, ready, grid.take(~complete), often)
        step.scored = len(scores)
        return list(self._derived(devices, ready, scores)), self._changes(step)

    def committed(self) -> None:
        """The last step is on disk."""
        step, self._step = self._step, None
        if step is None:
            return
        self._pending |= step.pending
        self._metrics.count("inference_rows", step.scored, model=self._name)
        self._metrics.count("inference_incomplete", step.given_up, model=self._name)

    def _of(self, device: str) -> Pending:
        return self._pending.get(device) or Pending.empty(len(self._columns))

    def _gather(self, entries: Sequence[Entry]) -> tuple[list[str], Cells]:
        numbers: dict[str, int] = {}
        parts: list[Cells] = []
        for entry in entries:
            if not fnmatchcase(entry.device, self._device):
                continue
            number = numbers.get(entry.device, len(numbers))
            part = cells(entry, number, self._columns)
            if part is None:
                continue
            if entry.device not in numbers:
                numbers[entry.device] = number
                parts.append(self._of(entry.device).cells(number))
            parts.append(part)
        return list(numbers), Cells.join(parts)

    def _carry(
        self, step: _Step, devices: list[str], ready: Grid, rest: Grid, often: NDArray[np.bool_]
    ) -> None:
        ready_from, rest_from = _slices(ready.device, len(devices)), _slices(rest.device, len(devices))  # fmt: skip
        for number, device in enumerate(devices):
            finished, waiting = ready_from[number], rest_from[number]
            before = self._of(device)
            done = int(ready.bucket[finished].max(initial=before.done))
            repeats = before.often or bool(often[number])
            kept, surplus = Pending(
                rest.time[waiting], rest.values[waiting], done, repeats
            ).bounded()
            step.pending[device] = kept
            step.given_up += surplus
        for device in self._crowded_out(step):
            before = self._of(device)
            step.given_up += len(before.time)
            step.pending[device] = Pending.empty(len(self._columns), before.done, before.often)

    def _crowded_out(self, step: _Step) -> list[str]:
        """Devices that must give up their pending times: the first that have any."""
        surplus = len(self._pending) - INFERENCE_MAX_PENDING_DEVICES
        if surplus <= 0:
            return []
        others = (device for device in self._pending if device not in step.pending)
        waiting = [device for device in others if len(self._pending[device].time)]
        return waiting[:surplus]

    def _changes(self, step: _Step) -> dict[str, bytes | None]:
        changes: dict[str, bytes | None] = {}
        for device, pending in step.pending.items():
            before = self._of(device)
            if len(pending.time) or (pending.often and not pending.same_as(before)):
                changes[self._key + device] = pendings.store(pending)
            elif before.is_stored and not pending.is_stored:
                changes[self._key + device] = None
        return changes

    def _derived(self, devices: list[str], ready: Grid, scores: Floats) -> Iterator[Derived]:
        rows = _rows(score_name(self._name), ready.time, scores)
        for device, part in zip(devices, _slices(ready.device, len(devices)), strict=True):
            if part.stop > part.start:
                yield Derived(device, rows.slice(part.start, part.stop - part.start))


def _slices(device: Ints, count: int) -> list[slice]:
    """Where each device's rows are; rows are sorted by device."""
    edges = np.searchsorted(device, np.arange(count + 1)).tolist()
    return [slice(start, end) for start, end in pairwise(edges)]


def _rows(name: str, time: Ints, scores: Floats) -> pa.RecordBatch:
    names = pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(time), np.int32)), pa.array([name]))  # fmt: skip
    times = pa.array(time).cast(BATCH_SCHEMA.field("time").type)
    columns = [names, times, pa.array(scores, pa.float64()), pa.nulls(len(time), pa.utf8())]
    return pa.RecordBatch.from_arrays(columns, schema=BATCH_SCHEMA)


def _is_derived(entry: Entry) -> bool:
    return all(is_derived(name) for name in entry.rows.column(0).dictionary.to_pylist())


def _load(number: int, config: ModelConfig, metrics: Metrics) -> Model:
    card, graph = cards.read(config.folder)
    return Model(
        key=f"{number}:{card.name}@{card.version}/",
        name=card.name,
        device=config.device,
        features=[config.prefix + name for name in card.feature_names],
        align_us=round(card.align_s * 1_000_000),
        scorer=LiteRtScorer(card, graph),
        metrics=metrics,
    )
