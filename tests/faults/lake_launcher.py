"""Runs cloud_sync's pipeline in child processes that kill themselves at a chosen step.

``python tests/faults/lake_launcher.py FOLDER STEP [STEP …]``: for each STEP a child lands and
registers the data folder ``FOLDER/<index>`` and gets SIGKILL when it reaches that step. Steps are
counted before and after everything that leaves a trace: each write to the journal, each object put,
and each request to the catalogue. Prints one line per child: how it ended, and its number of steps.
The children are forked, so that the second that the imports take is paid once.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyiceberg.catalog import Catalog

from cloud_sync.lake.table import IcebergReadings
from cloud_sync.pipeline import Parts
from headrace.journal import JournalReader
from headrace.lake.config import Lake
from headrace.lake.store import Data, LocalStore
from tests.lakes import pipeline, settings

MAX_ROWS = 300


class Steps:
    """Counts steps and kills the process at one of them."""

    def __init__(self, fatal: int) -> None:
        self.count = 0
        self._fatal = fatal

    def around(self, act: Callable[[], Any]) -> Any:
        self._step()
        result = act()
        self._step()
        return result

    def _step(self) -> None:
        self.count += 1
        if self.count == self._fatal:
            os.kill(os.getpid(), signal.SIGKILL)


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


def run(folder: Path, fatal: int) -> int:
    """Land and register once; the number of steps, if it lives to tell."""
    config = settings(folder, max_rows=MAX_ROWS)
    steps = Steps(fatal)
    store = MortalStore(config.lake.folder, steps)
    parts = Parts(store, MortalReadings(config.lake, steps), mortal_journal(steps))
    path = pipeline(config, parts)
    path.land()
    path.register()
    return steps.count


def main() -> None:
    root = Path(sys.argv[1])
    for index, fatal in enumerate(map(int, sys.argv[2:])):
        child = os.fork()
        if child == 0:
            count = run(root / str(index), fatal)
            (root / str(index) / "steps").write_text(str(count))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        print("killed" if killed else f"exit {os.waitstatus_to_exitcode(status)}", flush=True)


if __name__ == "__main__":
    main()
