"""What the view ``latest`` is made of: the state that is kept (``headrace.lake.latest``), what landed
behind it, and the journal's tail. It is the look of ``sources``, with the state in the table's place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from headrace.lake.config import Lake
from headrace.lake.latest import State, load
from headrace.lake.opening import open_store
from headrace.query.predicate import ANYTHING, Predicate, only
from headrace.query.sources import Sources, collect_behind


@dataclass(frozen=True, slots=True)
class Latest:
    """One row a series, and the readings that came since."""

    known: pa.Table
    since: Sources


def collect_latest(lake: Lake, journal: Path | None, wanted: Predicate = ANYTHING) -> Latest | None:
    """The parts of the view; None where no state is kept, and all readings must be asked.

    Raises:
        LakeError: the store does not answer, or the state cannot be read.
        StorageError: the journal cannot be read.
    """
    store = open_store(lake)

    def covered() -> tuple[Mapping[str, int], State | None]:
        state = load(store)
        return (state.marks if state is not None else {}), state

    if load(store) is None:
        return None
    since, state = collect_behind(store, journal, of_series(wanted), covered)
    if state is None:
        return None
    ordinary = tuple(file for file in since.files if file.origin != "odd")
    return Latest(state.rows, replace(since, files=ordinary))


def of_series(wanted: Predicate) -> Predicate:
    """What is wanted of the series alone: the newest reading decides, and only then whether its time
    or value is what was asked for."""
    return only(wanted, frozenset({"site", "device", "name"}))
