"""Where models run, and what the poller works with there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import msgspec

from headrace.clock import Clock
from headrace.models import files
from headrace.models.fit import Fit
from headrace.models.lanes import Trial
from headrace.models.manifest import Manifest
from headrace.models.repository import Assignments
from headrace.models.run import Run
from headrace.models.store import SlotStore

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
        tick: called about once a second.
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
    tick: Callable[[], None]


def write_look(folder: Path, look: Look) -> None:
    """Say how a look went.

    Raises:
        StorageError: it cannot be written.
    """
    files.write(folder / POLL_FILE, msgspec.json.encode(look))


def read_look(folder: Path) -> Look:
    """How the last look went, as the file says."""
    data = files.read(folder / POLL_FILE)
    if data is None:
        return Look()
    try:
        return msgspec.json.decode(data, type=Look)
    except msgspec.MsgspecError:
        return Look(error=f"{folder / POLL_FILE} cannot be read")
