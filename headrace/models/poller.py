"""The thread that looks at the repository, and brings what it assigns up to shadow.

Everything slow stands here: the network, TUF, starting a process and its golden vectors. The
consumer's thread is handed a version that is loaded and right, and decides the rest.

A repository that is away or says something forged, older or expired changes nothing: what runs goes
on, what it said last still holds, and the fault is said once (log, ``reported``, ``models status``).
A version that is not there or lies is refused; one whose files arrive damaged is fetched again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import msgspec

from headrace.clock import Clock
from headrace.errors import HeadraceError, ModelError, ModelUntrusted
from headrace.limits import RETRY_MAX_S
from headrace.logs import Condition
from headrace.models import files, machine, requests
from headrace.models.fit import Fit
from headrace.models.live import Trial
from headrace.models.machine import Slot
from headrace.models.manifest import MANIFEST_NAME, Manifest, decode_manifest
from headrace.models.repository import Assignments
from headrace.models.requests import Request
from headrace.models.run import Run, open_run
from headrace.models.store import SlotStore

logger = logging.getLogger(__name__)

#: Seconds between two looks for requests, and at a version that waits for its inputs.
_ROUND_S: Final = 1.0

#: Seconds that a stop waits for the round in hand.
_STOP_S: Final = 5.0

POLL_FILE: Final = "poll.json"


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """How the last look at the repository went; ``error`` is empty when it went well."""

    at: int = 0
    serial: int = 0
    error: str = ""


class Repository(Protocol):
    """What is needed of the repository's client (``headrace.models.client`` has it)."""

    def refresh(self) -> Assignments: ...
    def assignments(self) -> Assignments | None: ...
    def fetch(self, name: str, version: int) -> Path: ...
    def prune(self, keep: Iterable[tuple[str, int]]) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where models run, and what the poller works with.

    Attributes:
        folder: of everything about models.
        labels: what promotions choose this place by.
        fixed: names of models that are run otherwise here.
        interval_s: between two looks at the repository.
        inputs_wait_s: how long a version waits for its inputs.
        mirrors: whether versions are kept for others too.
        trial: how a model is tried, by its name.
        fit: whether a manifest suits what is measured here.
        offer: takes a version that is loaded.
        changed: called after a look.
    """

    folder: Path
    labels: Mapping[str, str]
    fixed: Collection[str]
    interval_s: float
    inputs_wait_s: float
    mirrors: bool
    repository: Repository
    store: SlotStore
    clock: Clock
    trial: Callable[[str], Trial]
    fit: Callable[[Manifest], Fit]
    offer: Callable[[Run], None]
    changed: Callable[[], None]


class Poller:
    """Looks at intervals, when it is nudged, and when it is asked to."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._store = place.store
        self._client = place.repository
        self._condition = Condition(logger, "model repository")
        self._disk = Condition(logger, f"models in {place.folder}")
        self._stopping = threading.Event()
        self._nudged = threading.Event()
        self._offered: dict[str, int] = {}
        self._thread = threading.Thread(target=self._run, name="models-poller", daemon=True)
        self.look = read_look(place.folder)

    def start(self) -> None:
        self._thread.start()

    def nudge(self) -> None:
        """Look now; from any thread or signal handler."""
        self._nudged.set()

    def stop(self) -> None:
        """End the thread. A download in hand is not waited for: whatever it gives is fetched again."""
        self._stopping.set()
        self._nudged.set()
        if self._thread.ident is not None:
            self._thread.join(_STOP_S)

    # --- one round --------------------------------------------------------------------------------

    def _run(self) -> None:
        due = self._place.clock.monotonic()
        while not self._stopping.is_set():
            now = self._is_nudged() or self._place.clock.monotonic() >= due
            try:
                if self._requests() or now:
                    self.round()
                    due = self._place.clock.monotonic() + self._pause_s()
                else:
                    self.bring_all()
            except HeadraceError as error:
                # A full disk, say. What runs goes on, and the next round tries again.
                self._disk.bad(error)
            else:
                self._disk.good()
            self._nudged.wait(_ROUND_S)

    def _is_nudged(self) -> bool:
        if not self._nudged.is_set():
            return False
        # Cleared only when it was seen: a nudge that comes now stands for the next round.
        self._nudged.clear()
        return True

    def _pause_s(self) -> float:
        """Until the next look: not a whole interval where this one failed."""
        interval_s = self._place.interval_s
        return min(interval_s, RETRY_MAX_S) if self.look.error else interval_s

    def round(self) -> None:
        """Look at the repository once, and bring every candidate as far as it goes."""
        assignments = self._refresh()
        if assignments is not None:
            self._assign(assignments)
        self.bring_all()
        if assignments is not None:
            self._tidy(assignments)
        self._place.changed()

    def _refresh(self) -> Assignments | None:
        error = ""
        try:
            assignments: Assignments | None = self._client.refresh()
            self._condition.good()
        except HeadraceError as failure:
            # Also what does not heal by itself: a repository signed again is accepted again.
            self._condition.bad(failure)
            error = str(failure)
            assignments = self._client.assignments()
        serial = assignments.serial if assignments else 0
        self.look = Look(at=self._place.clock.now_us(), serial=serial, error=error)
        files.write(self._place.folder / POLL_FILE, msgspec.json.encode(self.look))
        return assignments

    def _assign(self, assignments: Assignments) -> None:
        for slot in self._store.all():
            revoked = [each for each in slot.kept if assignments.is_revoked(slot.name, each)]
            if revoked:
                self._change(slot.name, lambda now, at, gone=revoked: machine.withdraw(now, gone, "revoked", at))  # type: ignore[misc]  # fmt: skip
        for name, version in assignments.wanted(self._place.labels).items():
            if name in self._place.fixed:
                logger.warning("model %s is in [[models]]; the repository's is not run", name)
                continue
            try:
                self._store.change(name, lambda now, at, v=version: machine.want(now, v, at))  # type: ignore[misc]
            except ModelError as error:
                logger.warning("%s", error)

    def bring_all(self) -> None:
        """Bring every candidate as far as it goes now."""
        for slot in self._store.all():
            if slot.candidate is not None and self._offered.get(slot.name) != slot.candidate:
                self._bring(slot, slot.candidate)

    def _bring(self, slot: Slot, version: int) -> None:
        try:
            folder = self._client.fetch(slot.name, version)
            if slot.phase == "downloading" and not self._suits(slot, folder):
                return
            trial = self._place.trial(slot.name)
            run = open_run(folder, threshold=trial.threshold, call_timeout_s=trial.call_timeout_s)
        except (ModelError, ModelUntrusted) as error:
            self._refuse_or_wait(slot, version, error)
            return
        except HeadraceError as error:
            self._wait(slot, str(error))
            return
        self._hand_over(slot, run)

    def _refuse_or_wait(self, slot: Slot, version: int, error: HeadraceError) -> None:
        """What is signed and wrong stays wrong; what is not as signed may arrive whole next time."""
        if isinstance(error, ModelUntrusted):
            self._wait(slot, error.message)
        else:
            self._reject(slot, error.message)

    def _hand_over(self, slot: Slot, run: Run) -> None:
        def change(now: Slot, at: int) -> Slot:
            if now.candidate != run.version or now.phase not in ("downloading", "shadow"):
                return now
            if now.phase == "downloading":
                for phase in ("verified", "checked", "shadow"):
                    now = machine.advance(now, phase, at)
            return now

        after = self._change(slot.name, change)
        if after.candidate != run.version:
            run.close()
            return
        self._offered[slot.name] = run.version
        self._place.offer(run)

    def _suits(self, slot: Slot, folder: Path) -> bool:
        path = folder / MANIFEST_NAME
        manifest = decode_manifest(files.read(path) or b"", str(path))
        fit = self._place.fit(manifest)
        if fit.fits:
            return True
        waited_s = (self._place.clock.now_us() - slot.since) / 1e6
        if fit.wrong or (fit.heard and waited_s >= self._place.inputs_wait_s):
            self._reject(slot, fit.wrong or fit.missing)
        else:
            self._wait(slot, f"waits for its inputs: {fit.missing}")
        return False

    def _reject(self, slot: Slot, reason: str) -> None:
        self._change(slot.name, lambda now, at: machine.reject(now, reason, at) if now.candidate == slot.candidate else now)  # fmt: skip

    def _wait(self, slot: Slot, reason: str) -> None:
        self._change(slot.name, lambda now, at: machine.wait(now, reason, at) if now.candidate == slot.candidate else now)  # fmt: skip

    def _change(self, name: str, change: Callable[[Slot, int], Slot]) -> Slot:
        before = self._store.get(name)
        after = self._store.change(name, change)
        if after.candidate != before.candidate:
            self._offered.pop(name, None)
        return after

    # --- requests, tidying ------------------------------------------------------------------------

    def _requests(self) -> bool:
        taken = requests.take(self._place.folder / "requests")
        for request in taken:
            self._do(request)
        return bool(taken)

    def _do(self, request: Request) -> None:
        if request.verb == "rollback":
            reason = request.reason or "asked for"
            self._change(request.model, lambda now, at: machine.step_back(now, reason, at))
        elif request.verb == "retry" and request.version is not None:
            version = request.version
            self._change(request.model, lambda now, _at: machine.forgive(now, version))

    def _tidy(self, assignments: Assignments) -> None:
        """Keep what slots need, and what devices behind the mirror may ask for."""
        wanted = {(slot.name, version) for slot in self._store.all() for version in slot.kept}
        if self._place.mirrors:
            last = {(each.model, each.to): each.version for each in assignments.promotions}
            for (name, _), version in last.items():
                if not assignments.is_revoked(name, version) and self._mirrors(name, version):
                    wanted.add((name, version))
        self._client.prune(wanted)

    def _mirrors(self, name: str, version: int) -> bool:
        try:
            self._client.fetch(name, version)
        except HeadraceError as error:
            logger.info("model %s %d is not mirrored yet: %s", name, version, error)
            return False
        return True


def read_look(folder: Path) -> Look:
    """How the last look went, as the file says."""
    data = files.read(folder / POLL_FILE)
    if data is None:
        return Look()
    try:
        return msgspec.json.decode(data, type=Look)
    except msgspec.MsgspecError:
        return Look(error=f"{folder / POLL_FILE} cannot be read")
