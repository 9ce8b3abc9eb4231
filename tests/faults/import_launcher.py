"""Runs an import job in child processes that kill themselves at a chosen step.

``python tests/faults/import_launcher.py FOLDER STEP [STEP …]``: for each STEP a child runs the first job
of ``FOLDER/<index>/cloud_sync.toml`` and gets SIGKILL when it reaches that step. Steps are those of
``lake_launcher``, and before and behind each transaction of the spool. Prints one line per child.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cloud_sync.imports.jobs import ImportJob
from cloud_sync.imports.port import Chunk, ImportSource
from cloud_sync.imports.runner import ImportRun
from cloud_sync.pipeline import Parts
from headrace.metrics import Metrics
from tests.faults.lake_launcher import MortalReadings, MortalStore, Steps, mortal_journal
from tests.imports import configured

MAX_ROWS = 40


class MortalSource(ImportSource):
    """The real source; a step before each chunk is handed over, and one when the next is asked for."""

    def __init__(self, source: ImportSource, steps: Steps) -> None:
        self._source = source
        self._steps = steps

    def chunks(self, marks: Mapping[str, bytes]) -> Iterator[Chunk]:
        for chunk in self._source.chunks(marks):
            self._steps.around(lambda: None)
            yield chunk


def mortal(job: ImportJob, steps: Steps) -> ImportJob:
    def build(settings: Any, *, context: Any) -> MortalSource:
        return MortalSource(job.plugin.build(settings, context=context), steps)

    return replace(job, plugin=replace(job.plugin, build=build))


def run(folder: Path, fatal: int) -> int:
    """Import, land and register once; the number of steps, if it lives to tell."""
    tables = (folder / "tables.toml").read_text(encoding="utf-8").replace("FOLDER", str(folder))
    config, jobs = configured(folder, tables, max_rows=MAX_ROWS)
    steps = Steps(fatal)
    store = MortalStore(config.lake.folder, steps)
    parts = Parts(store, MortalReadings(config.lake, steps), mortal_journal(steps))
    one = ImportRun(config, mortal(jobs[0], steps), Metrics("cloud_sync"), parts=parts)
    one.run()
    one.register()
    return steps.count


def main() -> None:
    root = Path(sys.argv[1])
    for index, fatal in enumerate(map(int, sys.argv[2:])):
        child = os.fork()
        if child == 0:
            count = run(root / str(index), fatal)
            (root / str(index) / "steps").write_text(str(count))
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print("killed" if status == -signal.SIGKILL else f"exit {status}", flush=True)


if __name__ == "__main__":
    main()
