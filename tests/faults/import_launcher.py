"""Runs the first job of ``cloud_sync.toml`` in processes that kill themselves (``stepping``).

Steps are those of ``lake_launcher``, and before and behind each transaction of the spool.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cloud_sync.imports.jobs import ImportJob
from cloud_sync.imports.port import Chunk, ImportSource
from cloud_sync.imports.runner import ImportRun
from cloud_sync.pipeline import Parts
from headrace.metrics import Metrics
from tests.faults.lake_launcher import MortalReadings, MortalStore, mortal_journal
from tests.faults.stepping import Steps, main
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


def run(folder: Path, steps: Steps) -> None:
    """Import, land and register once."""
    tables = (folder / "tables.toml").read_text(encoding="utf-8").replace("FOLDER", str(folder))
    config, jobs = configured(folder, tables, max_rows=MAX_ROWS)
    store = MortalStore(config.lake.folder, steps)
    parts = Parts(store, MortalReadings(config.lake, steps), mortal_journal(steps))
    one = ImportRun(config, mortal(jobs[0], steps), Metrics("cloud_sync"), parts=parts)
    one.run()
    one.register()


if __name__ == "__main__":
    main(run)
