"""All models of the repository behind the journal: readings in, scores and events out.

A consumer of its own beside inference: what is on trial here holds up neither the models of the
configuration nor anything else. What happened to versions is journalled with the scores, in the
transaction that moves the cursor, so that the lake knows it too; a step that was not committed is
said again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from gateway.consumer import Consumer, Derived, Outcome
from gateway.feed import Entry
from gateway.models.config import ModelRepositoryConfig
from gateway.models.lane import GatewayLane
from gateway.models.report import events
from headrace.derived import is_derived
from headrace.limits.console import LIVE_MAX_DEVICES
from headrace.metrics import Metrics
from headrace.models import machine
from headrace.models.live import LiveSlot
from headrace.models.machine import Step
from headrace.models.run import Run
from headrace.models.store import SlotStore


class ModelsConsumer(Consumer):
    """Runs every slot.

    Args:
        changed: called when something happened to a version and is on disk.
    """

    name = "models"

    def __init__(
        self, config: ModelRepositoryConfig, store: SlotStore, metrics: Metrics, *, site: str,
        folder_of: Callable[[str, int], Path], changed: Callable[[], None],
    ) -> None:  # fmt: skip
        self._config = config
        self._store = store
        self._metrics = metrics
        self._site = site
        self._folder_of = folder_of
        self._changed = changed
        self._lock = threading.Lock()
        self._slots: dict[str, LiveSlot[Sequence[Entry], Derived]] = {}
        self._telling: list[Step] = []
        self._scored: dict[str, dict[str, int]] = {}

    def offer(self, run: Run) -> None:
        """A candidate for shadow; from any thread."""
        self._slot(run.manifest.name).offer(run)

    def step(self, entries: Sequence[Entry], now_us: int) -> Outcome:
        measured = [entry for entry in entries if not _is_derived(entry)]
        derived: list[Derived] = []
        for slot in self._store.all():
            live = self._slot(slot.name)
            scored = live.step(measured, now_us)
            self._remember(slot.name, live.scored_by, scored)
            derived += scored
        self._telling = [step for slot in self._store.all() for step in slot.untold]
        if self._telling:
            derived.append(events(self._site, self._telling))
        return Outcome(tuple(derived))

    def committed(self, outcome: Outcome) -> None:
        with self._lock:
            slots = list(self._slots.values())
        for slot in slots:
            slot.committed()
        telling, self._telling = self._telling, []
        for name in {step.model for step in telling}:
            self._store.change(name, lambda now, _at: machine.told(now, telling))
        if telling:
            self._changed()

    def scored(self) -> dict[str, dict[str, int]]:
        """Device → model name → the version that has scored its readings last; from any thread."""
        with self._lock:
            return {device: dict(versions) for device, versions in self._scored.items()}

    def _remember(self, name: str, version: int | None, scored: Sequence[Derived]) -> None:
        if version is None:
            return
        with self._lock:
            for one in scored:
                if one.device in self._scored or len(self._scored) < LIVE_MAX_DEVICES:
                    self._scored.setdefault(one.device, {})[name] = version

    def close(self) -> None:
        with self._lock:
            slots = list(self._slots.values())
        for slot in slots:
            slot.close()
        for each in self._store.all():
            self._store.change(each.name, lambda now, _at: machine.stopped(now))

    def _slot(self, name: str) -> LiveSlot[Sequence[Entry], Derived]:
        with self._lock:
            if name not in self._slots:
                self._slots[name] = self._make(name)
            return self._slots[name]

    def _make(self, name: str) -> LiveSlot[Sequence[Entry], Derived]:
        use = self._config.use(name)
        return LiveSlot(
            name,
            self._config.trial(name),
            self._store,
            folder_of=lambda version: self._folder_of(name, version),
            make_lane=lambda run: GatewayLane(run, use, self._metrics),
            switched=lambda to: self._metrics.count("model_switches", model=name, to=to),
        )


def _is_derived(entry: Entry) -> bool:
    return all(is_derived(name) for name in entry.rows.column(0).dictionary.to_pylist())
