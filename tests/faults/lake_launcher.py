"""Lands and registers in processes that kill themselves (``stepping``): ``python tests/faults/lake_launcher.py``.

Steps are before and after each write to the journal, each object put, and each request to the catalogue.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyiceberg.catalog import Catalog

from cloud_sync.lake.table import IcebergReadings
from cloud_sync.pipeline import Parts
from headrace.journal import JournalReader
from headrace.lake.config import Lake
from headrace.lake.store import Data, LocalStore
from tests.faults.stepping import Steps, main
from tests.lakes import pipeline, settings

MAX_ROWS = 300


class MortalStore(LocalStore):
    def __init__(self, root: Path, steps: Steps) -> None:
        super().__init__(root)
        self._steps = steps

    def put(self, path: str, data: Data) -> None:
        self._steps.around(lambda: LocalStore.put(self, path, data))

    def create(self, path: str, data: Data) -> bool:
        return bool(self._steps.around(lambda: LocalStore.create(self, path, data)))


class MortalReadings(IcebergReadings):
    """The real table; the process may die around each request to its catalogue."""

    def __init__(self, lake: Lake, steps: Steps) -> None:
        super().__init__(lake)
        self._steps = steps

    def _catalogue(self) -> Catalog:
        is_new = self._opened is None
        catalogue = super()._catalogue()
        if is_new:
            for name in ("create_namespace", "create_table", "commit_table"):
                setattr(catalogue, name, self._mortal(getattr(catalogue, name)))
        return catalogue

    def _mortal(self, call: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **kwargs: self._steps.around(lambda: call(*args, **kwargs))


def mortal_journal(steps: Steps) -> Callable[[Path], JournalReader]:
    class MortalJournal(JournalReader):
        def move_cursor(self, consumer: str, offset: int, *, required: bool) -> None:
            move = JournalReader.move_cursor
            steps.around(lambda: move(self, consumer, offset, required=required))

        def set_state(self, consumer: str, key: str, value: bytes | None) -> None:
            steps.around(lambda: JournalReader.set_state(self, consumer, key, value))

    return MortalJournal


def run(folder: Path, steps: Steps) -> None:
    """Land and register once."""
    config = settings(folder, max_rows=MAX_ROWS)
    store = MortalStore(config.lake.folder, steps)
    parts = Parts(store, MortalReadings(config.lake, steps), mortal_journal(steps))
    path = pipeline(config, parts)
    path.land()
    path.register()


if __name__ == "__main__":
    main(run)
