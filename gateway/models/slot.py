"""One model's versions on live readings: the active one, a candidate beside it, and the one before.

A **lane** is a version with its process and its own view of the readings (versions may differ in
features). Every step runs the active lane for its scores and the others for their evidence, then
decides; so a switch happens between two steps and no batch is scored by half of each.

What the active version does wrong is found before its scores leave: the step is then done again with
the last good version, in the same call. Nobody who sends readings waits for any of this: a lane that
stalls holds up scores, once, for ``call_timeout_s``, and the journal not at all.

On probation the former version stays in its lane, so that the two are compared on the same readings
after the switch as before it, and so that rolling back takes no time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue

import numpy as np
import pyarrow as pa

from gateway.consumer import Derived
from gateway.feed import Entry
from gateway.inference.consumer import Model
from gateway.models.config import ModelRepositoryConfig
from headrace.codecs import BATCH_SCHEMA
from headrace.derived import relative_name, score_name
from headrace.errors import ModelError
from headrace.limits import MODELS_EVIDENCE_ROWS
from headrace.metrics import Metrics
from headrace.models import gates, machine
from headrace.models.machine import Slot
from headrace.models.run import Run, open_run
from headrace.models.runtime import Matrix, Scores
from headrace.models.store import SlotStore

logger = logging.getLogger(__name__)

SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class RunScorer:
    """A run behind the scorer port of inference."""

    run: Run

    def score(self, rows: Matrix) -> Scores:
        scores = self.run.score(np.ascontiguousarray(rows, np.float64).tobytes())
        return np.frombuffer(scores, np.float64) if scores else np.empty(0)


@dataclass(frozen=True, slots=True)
class Lane:
    """A version and its view of the readings."""

    run: Run
    model: Model

    def close(self) -> None:
        self.run.close()


class LiveSlot:
    """One model name. Everything but ``offer`` is called by the consumer's thread.

    Args:
        folder_of: where a version's files are.
    """

    def __init__(
        self, name: str, config: ModelRepositoryConfig, store: SlotStore, metrics: Metrics,
        *, folder_of: Callable[[str, int], Path],
    ) -> None:  # fmt: skip
        self.name = name
        self._config = config
        self._use = config.use(name)
        self._store = store
        self._metrics = metrics
        self._folder_of = folder_of
        self._offers: SimpleQueue[Run] = SimpleQueue()
        self._active: Lane | None = None
        self._candidate: Lane | None = None
        self._former: Lane | None = None
        self._scored: Lane | None = None

    def offer(self, run: Run) -> None:
        """A candidate that was loaded and checked; from any thread."""
        self._offers.put(run)

    def step(self, entries: Sequence[Entry], now_us: int) -> list[Derived]:
        """Scores of the version that is active; and maybe another one is from now on."""
        self._take_offers()
        # Before the active version is judged: what both call faulty speaks against neither.
        self._run_former(entries)
        derived = self._score(entries, now_us)
        self._run_candidate(entries)
        self._decide(now_us)
        return derived

    def committed(self) -> None:
        """The last step's scores are on disk."""
        if self._scored is not None:
            self._scored.model.committed()
            self._scored = None
        if self._former is not None:
            # Not before: a rollback has it score the same readings, and then they count.
            self._former.model.committed()

    def close(self) -> None:
        """End all processes."""
        self._take_offers()
        for lane in (self._active, self._candidate, self._former):
            if lane is not None:
                lane.close()
        self._active = self._candidate = self._former = None

    # --- lanes ------------------------------------------------------------------------------------

    def _take_offers(self) -> None:
        while True:
            try:
                run = self._offers.get_nowait()
            except Empty:
                return
            slot = self._store.get(self.name)
            if slot.candidate != run.version or slot.phase != "shadow":
                run.close()  # withdrawn meanwhile
                continue
            if self._candidate is not None:
                self._candidate.close()
            self._candidate = self._lane(run)
            # From here on both see the same readings.
            for lane in (self._active, self._former):
                if lane is not None:
                    lane.run.forget_evidence()

    def _lane(self, run: Run) -> Lane:
        manifest = run.manifest
        model = Model(
            key=f"{manifest.name}@{manifest.version}/",
            name=manifest.name,
            device=self._use.device,
            features=[self._use.prefix + name for name in manifest.feature_names],
            align_us=round(manifest.align_s * SECOND_US),
            scorer=RunScorer(run),
            metrics=self._metrics,
        )
        return Lane(run, model)

    def _lane_of_active(self, now_us: int) -> Lane | None:
        """The active version's lane; opens it, and falls back where it cannot be opened."""
        while (slot := self._store.get(self.name)).active is not None:
            if self._active is not None and self._active.run.version == slot.active:
                return self._active
            self._close_active()
            if self._former is not None and self._former.run.version == slot.active:
                self._active, self._former = self._former, None
                return self._active
            try:
                folder = self._folder_of(self.name, slot.active)
                self._active = self._lane(self._open(folder))
            except ModelError as error:
                self._roll_back(slot, error.message)
        self._close_active()
        return None

    def _open(self, folder: Path) -> Run:
        timeout_s = self._config.call_timeout_s
        return open_run(folder, threshold=self._use.threshold, call_timeout_s=timeout_s)

    def _close_active(self) -> None:
        if self._active is not None:
            self._active.close()
            self._active = None

    # --- scores -----------------------------------------------------------------------------------

    def _score(self, entries: Sequence[Entry], now_us: int) -> list[Derived]:
        while (lane := self._lane_of_active(now_us)) is not None:
            slot = self._store.get(self.name)
            try:
                derived, _ = lane.model.step(entries)
            except ModelError as error:
                self._roll_back(slot, error.message)
                continue
            reason = self._fault_of_active(slot, lane)
            if not reason:
                self._scored = lane
                return [_with_relative(each, self.name, lane.run.threshold) for each in derived]
            self._roll_back(slot, reason)
        return []

    def _fault_of_active(self, slot: Slot, lane: Lane) -> str:
        if not slot.proven:
            former = self._former.run.evidence if self._former else None
            return gates.fault(self._config.gates, lane.run.evidence, former)
        if lane.run.evidence.rows > MODELS_EVIDENCE_ROWS:
            lane.run.forget_evidence()
        return gates.broken(self._config.gates, lane.run.evidence)

    def _roll_back(self, slot: Slot, reason: str) -> None:
        """Only the version that was found faulty: somebody else may have acted meanwhile."""
        self._close_active()

        def change(now: Slot, at: int) -> Slot:
            return machine.roll_back(now, reason, at) if now.active == slot.active else now

        self._store.change(self.name, change)
        self._metrics.count("model_switches", model=self.name, to="rolled_back")

    def _run_former(self, entries: Sequence[Entry]) -> None:
        if self._former is not None:
            try:
                self._former.model.step(entries)
            except ModelError as error:
                logger.warning("%s, which is kept to compare with: %s", self.name, error)
                self._drop_former()

    def _run_candidate(self, entries: Sequence[Entry]) -> None:
        if self._candidate is not None:
            try:
                self._candidate.model.step(entries)
                self._candidate.model.committed()
            except ModelError as error:
                self._reject(error.message)

    # --- decisions --------------------------------------------------------------------------------

    def _decide(self, now_us: int) -> None:
        slot = self._store.get(self.name)
        if self._candidate is not None:
            self._judge_candidate(self._candidate, slot, now_us)
        elif slot.active is not None and not slot.proven and self._active is not None:
            self._judge_probation(self._active, slot, now_us)

    def _judge_candidate(self, lane: Lane, slot: Slot, now_us: int) -> None:
        if slot.candidate != lane.run.version or slot.phase != "shadow":
            lane.close()  # withdrawn meanwhile
            self._candidate = None
            return
        running = self._active.run.evidence if self._active else None
        reason = gates.fault(self._config.gates, lane.run.evidence, running)
        if reason:
            self._reject(reason)
        elif _over(slot.since, self._config.shadow_s, now_us) and self._enough(lane):
            self._promote(lane, slot)

    def _judge_probation(self, lane: Lane, slot: Slot, now_us: int) -> None:
        if _over(slot.active_since, self._config.probation_s, now_us) and self._enough(lane):
            self._store.change(self.name, machine.prove)
            self._drop_former()

    def _enough(self, lane: Lane) -> bool:
        return lane.run.evidence.rows >= self._config.gates.min_rows

    def _reject(self, reason: str) -> None:
        lane, self._candidate = self._candidate, None
        if lane is None:
            return
        lane.close()

        def change(now: Slot, at: int) -> Slot:
            return machine.reject(now, reason, at) if now.candidate == lane.run.version else now

        self._store.change(self.name, change)
        self._metrics.count("model_switches", model=self.name, to="rejected")

    def _promote(self, lane: Lane, slot: Slot) -> None:
        found = lane.run.evidence
        said = f"{found.rows} rows in shadow, {found.alert_rate:.1%} faulty, p99 {found.slowest_ms:.1f} ms"
        self._store.change(self.name, lambda now, at: machine.promote(now, said, at))
        self._metrics.count("model_switches", model=self.name, to="active")
        self._drop_former()
        # A version that was itself on probation is nothing to compare with or to go back to.
        if slot.proven:
            self._former = self._active
        elif self._active is not None:
            self._active.close()
        self._active, self._candidate = lane, None
        for each in (self._active, self._former):
            if each is not None:
                each.run.forget_evidence()

    def _drop_former(self) -> None:
        if self._former is not None:
            self._former.close()
            self._former = None


def _over(since_us: int, seconds: float, now_us: int) -> bool:
    return now_us - since_us >= seconds * SECOND_US


def _with_relative(derived: Derived, name: str, threshold: float) -> Derived:
    """Scores twice: as they are, and over their threshold, which is comparable between versions."""
    rows = derived.rows
    count = rows.num_rows
    scores = rows.column(2).to_numpy(zero_copy_only=False)
    codes = np.repeat(np.array([0, 1], np.int32), count)
    names = pa.DictionaryArray.from_arrays(
        pa.array(codes), pa.array([score_name(name), relative_name(name)])
    )
    values = np.concatenate([scores, scores / threshold])
    times = pa.concat_arrays([rows.column(1), rows.column(1)])
    columns = [names, times, pa.array(values), pa.nulls(2 * count, pa.utf8())]
    return Derived(derived.device, pa.RecordBatch.from_arrays(columns, schema=BATCH_SCHEMA))
