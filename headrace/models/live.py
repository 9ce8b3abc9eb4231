"""One model's versions on live readings: the active one, a candidate beside it, and the one before.

A **lane** is a version with its process and its own view of the readings (versions may differ in
features); how readings become rows and scores become results is the lane's, so the same rules run at
a gateway and at a device. Every step runs the active lane for its results and the others for their
evidence, then decides; so a switch happens between two steps and no batch is scored by half of each.

What the active version does wrong is found before its scores leave: the step is then done again with
the last good version, in the same call. Nobody who sends readings waits for any of this: a lane that
stalls holds up scores, once, for ``call_timeout_s``, and the journal not at all.

On probation the former version stays in its lane, so that the two are compared on the same readings
after the switch as before it, and so that rolling back takes no time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from headrace.errors import ModelError
from headrace.limits.edge_models import MODELS_EVIDENCE_ROWS, MODELS_MAX_ODD
from headrace.models import gates, machine
from headrace.models.evidence import Evidence
from headrace.models.lanes import Lane, Trial
from headrace.models.machine import Slot
from headrace.models.run import Run, open_run
from headrace.models.store import SlotStore

logger = logging.getLogger(__name__)

SECOND_US = 1_000_000

Batch = TypeVar("Batch")
Result = TypeVar("Result")


class LiveSlot(Generic[Batch, Result]):
    """One model name. Everything but ``offer`` is called by one thread.

    Args:
        folder_of: where a version's files are.
        make_lane: gives a loaded version its view of the readings.
        switched: told ``rejected``, ``active`` or ``rolled_back``, for a counter.
    """

    def __init__(
        self, name: str, trial: Trial, store: SlotStore, *, folder_of: Callable[[int], Path],
        make_lane: Callable[[Run], Lane[Batch, Result]], switched: Callable[[str], None],
    ) -> None:  # fmt: skip
        self.name = name
        self._trial = trial
        self._store = store
        self._folder_of = folder_of
        self._make_lane = make_lane
        self._switched = switched
        self._offers: SimpleQueue[Run] = SimpleQueue()
        self._active: Lane[Batch, Result] | None = None
        self._candidate: Lane[Batch, Result] | None = None
        self._former: Lane[Batch, Result] | None = None
        self._scored: Lane[Batch, Result] | None = None

    def offer(self, run: Run) -> None:
        """A candidate that was loaded and checked; from any thread."""
        self._offers.put(run)

    def step(self, seen: Batch, now_us: int) -> list[Result]:
        """Scores of the version that is active; and maybe another one is from now on."""
        self._take_offers()
        # Before the active version is judged: what both call faulty speaks against neither.
        self._run_former(seen)
        found = self._score(seen, now_us)
        self._run_candidate(seen)
        self._decide(now_us)
        return found

    @property
    def scored_by(self) -> int | None:
        """The version that the last step's results are of."""
        return self._scored.run.version if self._scored is not None else None

    def committed(self) -> None:
        """The last step's scores are on disk."""
        if self._scored is not None:
            self._scored.committed()
            self._scored = None
        if self._former is not None:
            # Not before: a rollback has it score the same readings, and then they count.
            self._former.committed()

    def close(self) -> None:
        """End all processes."""
        self._take_offers()
        for lane in (self._active, self._candidate, self._former):
            if lane is not None:
                lane.run.close()
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
                self._candidate.run.close()
            self._candidate = self._make_lane(run)
            # From here on both see the same readings.
            for lane in (self._active, self._former):
                if lane is not None:
                    lane.run.forget_evidence()

    def _lane_of_active(self, now_us: int) -> Lane[Batch, Result] | None:
        """The active version's lane; opens it, and falls back where it cannot be opened."""
        while (slot := self._store.get(self.name)).active is not None:
            if self._active is not None and self._active.run.version == slot.active:
                return self._active
            self._close_active()
            if self._former is not None and self._former.run.version == slot.active:
                self._active, self._former = self._former, None
                return self._active
            try:
                self._active = self._make_lane(self._open(slot.active))
            except ModelError as error:
                self._roll_back(slot, error.message)
        self._close_active()
        return None

    def _open(self, version: int) -> Run:
        trial, folder = self._trial, self._folder_of(version)
        return open_run(folder, threshold=trial.threshold, call_timeout_s=trial.call_timeout_s)

    def _close_active(self) -> None:
        if self._active is not None:
            self._active.run.close()
            self._active = None

    # --- scores -----------------------------------------------------------------------------------

    def _score(self, seen: Batch, now_us: int) -> list[Result]:
        while (lane := self._lane_of_active(now_us)) is not None:
            slot = self._store.get(self.name)
            try:
                found = lane.step(seen)
            except ModelError as error:
                self._roll_back(slot, error.message)
                continue
            reason = self._fault_of_active(slot, lane)
            if not reason:
                self._scored = lane
                return found
            self._roll_back(slot, reason)
        return []

    def _fault_of_active(self, slot: Slot, lane: Lane[Batch, Result]) -> str:
        if not slot.proven:
            former = self._former.run.evidence if self._former else None
            return gates.fault(self._trial.gates, lane.run.evidence, former)
        if lane.run.evidence.rows > MODELS_EVIDENCE_ROWS:
            lane.run.forget_evidence()
        return gates.broken(self._trial.gates, lane.run.evidence)

    def _roll_back(self, slot: Slot, reason: str) -> None:
        """Only the version that was found faulty: somebody else may have acted meanwhile."""
        self._close_active()

        def change(now: Slot, at: int) -> Slot:
            return machine.roll_back(now, reason, at) if now.active == slot.active else now

        self._store.change(self.name, change)
        self._switched("rolled_back")

    def _run_former(self, seen: Batch) -> None:
        if self._former is not None:
            try:
                self._former.step(seen)
            except ModelError as error:
                logger.warning("%s, which is kept to compare with: %s", self.name, error)
                self._drop_former()

    def _run_candidate(self, seen: Batch) -> None:
        if self._candidate is not None:
            try:
                self._candidate.step(seen)
                self._candidate.committed()
            except ModelError as error:
                self._reject(error.message)

    # --- decisions --------------------------------------------------------------------------------

    def _decide(self, now_us: int) -> None:
        slot = self._store.get(self.name)
        if self._candidate is not None:
            self._judge_candidate(self._candidate, slot, now_us)
        elif slot.active is not None and not slot.proven and self._active is not None:
            self._judge_probation(self._active, slot, now_us)

    def _judge_candidate(self, lane: Lane[Batch, Result], slot: Slot, now_us: int) -> None:
        if slot.candidate != lane.run.version or slot.phase != "shadow":
            lane.run.close()  # withdrawn meanwhile
            self._candidate = None
            return
        running = self._active.run.evidence if self._active else None
        self._note_odd(lane.run, running)
        reason = gates.fault(self._trial.gates, lane.run.evidence, running)
        if reason:
            self._reject(reason)
        elif _over(slot.since, self._trial.shadow_s, now_us) and self._enough(lane):
            self._promote(lane, slot)

    def _judge_probation(self, lane: Lane[Batch, Result], slot: Slot, now_us: int) -> None:
        self._note_odd(lane.run, self._former.run.evidence if self._former else None)
        if _over(slot.active_since, self._trial.probation_s, now_us) and self._enough(lane):
            self._store.change(self.name, machine.prove)
            self._drop_former()

    def _note_odd(self, run: Run, running: Evidence | None) -> None:
        """What one device says is for people to look at; what many say is the gate's."""
        if run.evidence.rows < self._trial.gates.min_rows:
            return
        known = self._store.get(self.name).odd
        for odd in gates.odd_devices(self._trial.gates, run.evidence, running):
            if odd.device not in known and len(known) < MODELS_MAX_ODD:
                self._store.change(
                    self.name,
                    lambda now, at, odd=odd: machine.note_odd(
                        now, run.version, odd.device, odd.reason, at
                    ),  # type: ignore[misc]
                )

    def _enough(self, lane: Lane[Batch, Result]) -> bool:
        return lane.run.evidence.rows >= self._trial.gates.min_rows

    def _reject(self, reason: str) -> None:
        lane, self._candidate = self._candidate, None
        if lane is None:
            return
        lane.run.close()

        def change(now: Slot, at: int) -> Slot:
            return machine.reject(now, reason, at) if now.candidate == lane.run.version else now

        self._store.change(self.name, change)
        self._switched("rejected")

    def _promote(self, lane: Lane[Batch, Result], slot: Slot) -> None:
        found = lane.run.evidence
        said = f"{found.rows} rows in shadow, {found.alert_rate:.1%} faulty, p99 {found.slowest_ms:.1f} ms"
        self._store.change(self.name, lambda now, at: machine.promote(now, said, at))
        self._switched("active")
        self._drop_former()
        # A version that was itself on probation is nothing to compare with or to go back to.
        if slot.proven:
            self._former = self._active
        elif self._active is not None:
            self._active.run.close()
        self._active, self._candidate = lane, None
        for each in (self._active, self._former):
            if each is not None:
                each.run.forget_evidence()

    def _drop_former(self) -> None:
        if self._former is not None:
            self._former.run.close()
            self._former = None


def _over(since_us: int, seconds: float, now_us: int) -> bool:
    return now_us - since_us >= seconds * SECOND_US
