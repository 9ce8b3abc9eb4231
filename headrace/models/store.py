"""Slots on disk: one small file a model, replaced as a whole and fsynced before anything follows.

A switch of versions is the replacement of that file, so a power cut leaves the version before or the
one behind it, and files of both are there (``Slot.kept``). Used by two threads, the one that looks
at the repository and the one that runs models: every change is read, made and written under one lock.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from headrace.clock import Clock
from headrace.errors import ModelError
from headrace.limits.edge_models import MODELS_MAX_SLOTS
from headrace.models import files
from headrace.models.machine import Slot

logger = logging.getLogger(__name__)

Change = Callable[[Slot, int], Slot]


class SlotStore:
    """All slots of one place.

    Raises:
        StorageError: the folder cannot be read or written.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._lock = threading.Lock()
        self._slots = {slot.name: slot for slot in read_slots(folder)}

    def all(self) -> list[Slot]:
        """Every slot, by name."""
        with self._lock:
            return [self._slots[name] for name in sorted(self._slots)]

    def get(self, name: str) -> Slot:
        """One slot; an empty one where the name is new."""
        with self._lock:
            return self._slots.get(name) or Slot(name)

    def change(self, name: str, change: Change) -> Slot:
        """Apply a transition of ``machine``; on disk when this returns.

        Raises:
            ModelError: more models than one place runs.
            StorageError: it could not be written; the slot is as before.
        """
        with self._lock:
            before = self._slots.get(name) or Slot(name)
            after = change(before, self._clock.now_us())
            if after == before:
                return before
            if name not in self._slots and len(self._slots) >= MODELS_MAX_SLOTS:
                raise ModelError(
                    f"model {name}: {MODELS_MAX_SLOTS} models run here already, no more are taken",
                    hint="promote fewer models to this place",
                )
            files.write(self._folder / f"{name}.json", msgspec.json.encode(after))
            self._slots[name] = after
        for step in after.untold[len(before.untold) :]:
            logger.info("model %s version %d: %s %s", name, step.version, step.state, step.reason)
        return after


def read_slots(folder: Path) -> list[Slot]:
    """The slots of a folder, for whoever only looks."""
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            found.append(msgspec.json.decode(files.read(path) or b"", type=Slot))
        except msgspec.MsgspecError as error:
            # Whole files only are ever renamed into place, so this is the disk. Without its memory
            # a slot starts from nothing; its versions go through all checks again.
            logger.error("%s: not a slot, left out: %s", path, error)
    return found
