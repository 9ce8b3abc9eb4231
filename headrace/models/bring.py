"""Brings what the repository assigns up to shadow: fetched, checked, loaded, handed over.

A version that is not there or lies is refused; one whose files arrive damaged is fetched again, as
somebody between here and there is not the model's fault. Used by the poller's thread alone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from headrace.errors import HeadraceError, ModelError, ModelUntrusted
from headrace.models import files, machine
from headrace.models.machine import Slot
from headrace.models.manifest import MANIFEST_NAME, decode_manifest
from headrace.models.place import Place
from headrace.models.repository import Assignments
from headrace.models.run import Run, open_run

logger = logging.getLogger(__name__)


class Bringer:
    """All candidates of one place."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._store = place.store
        self._client = place.repository
        self._offered: dict[str, int] = {}

    def assign(self, assignments: Assignments) -> None:
        """What is wanted here becomes a candidate; what is revoked goes."""
        for slot in self._store.all():
            revoked = [each for each in slot.kept if assignments.is_revoked(slot.name, each)]
            if revoked:
                self.change(slot.name, lambda now, at, gone=revoked: machine.withdraw(now, gone, "revoked", at))  # type: ignore[misc]  # fmt: skip
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

        after = self.change(slot.name, change)
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
        self.change(slot.name, lambda now, at: machine.reject(now, reason, at) if now.candidate == slot.candidate else now)  # fmt: skip

    def _wait(self, slot: Slot, reason: str) -> None:
        self.change(slot.name, lambda now, at: machine.wait(now, reason, at) if now.candidate == slot.candidate else now)  # fmt: skip

    def change(self, name: str, change: Callable[[Slot, int], Slot]) -> Slot:
        """A transition of ``machine``; a candidate that comes back is offered again."""
        before = self._store.get(name)
        after = self._store.change(name, change)
        if after.candidate != before.candidate:
            self._offered.pop(name, None)
        return after
