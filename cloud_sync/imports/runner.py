"""One run of an import job: chunks into the spool, the spool into the lake.

::

    1. alone     one process runs a job at a time (a lock beside the spool)
    2. append    a chunk's batches and marks: one transaction of the spool
    3. land      when enough waits, and at the end; as a gateway's journal lands
    4. prune     what has landed leaves the spool, which so stays small whatever the history's size

Killed anywhere, the next run goes on: before 2 is committed nothing has happened, behind it the marks
say so, and landing has its own way with kills.
"""

from __future__ import annotations

import fcntl
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from cloud_sync.config import CloudSync
from cloud_sync.imports.jobs import ImportJob
from cloud_sync.imports.port import Chunk, ImportContext, ImportSource
from cloud_sync.imports.spool import Spool
from cloud_sync.pipeline import Parts, Pipeline, open_parts
from headrace.clock import Clock, SystemClock
from headrace.errors import StorageError, UsageError
from headrace.imported import journal_of
from headrace.journal import FILE_NAME
from headrace.lake.config import Journal
from headrace.landing import folder as landing_folder
from headrace.metrics import Metrics

Progress = Callable[[Chunk], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run brought."""

    readings: int
    landed: int
    refused: dict[str, int]
    is_complete: bool

    def __str__(self) -> str:
        return f"{self.readings} readings, refused {self.refused or 0}"


class ImportRun:
    """A job and where it works."""

    def __init__(
        self, config: CloudSync, job: ImportJob, metrics: Metrics, *, clock: Clock | None = None,
        parts: Parts | None = None, should_stop: Callable[[], bool] = lambda: False,
    ) -> None:  # fmt: skip
        self.job = job
        self.path = spool_path(config, job)
        self._clock = clock or SystemClock()
        self._metrics = metrics
        self._should_stop = should_stop
        self._max_rows = config.landing.max_rows
        self._parts = parts or open_parts(config)
        self._pipeline = Pipeline(
            replace(config, journal=Journal(path=self.path)), self._parts, metrics
        )

    def run(self, progress: Progress = lambda _: None) -> Outcome:
        """Import what there is now.

        Raises:
            UsageError: the spool is gone, and the lake has what was in it.
            HeadraceError: source, spool or lake failed; another run goes on where this one ended.
        """
        with self._alone(), self._spool() as spool:
            landed = self._land(spool)  # what a killed run left
            readings, refused = 0, Counter[str]()
            complete = True
            for chunk in self._source().chunks(spool.marks()):
                appended = spool.append(chunk)
                readings += appended.readings
                refused.update(appended.refused)
                self._count(appended.readings)
                progress(chunk)
                if spool.waiting() >= self._max_rows:
                    landed += self._land(spool)
                if self._should_stop():
                    complete = False
                    break
            landed += self._land(spool)
        return Outcome(readings, landed, dict(refused), complete)

    def register(self) -> int:
        """Register what has landed, of this job and of everybody."""
        return self._pipeline.register()

    def _source(self) -> ImportSource:
        context = ImportContext(self.path.parent, self._clock, self._should_stop)
        source: ImportSource = self.job.plugin.build(self.job.settings, context=context)
        return source

    def _spool(self) -> Spool:
        if not self.path.exists():
            self._refuse_to_repeat()
        return Spool(self.path, site=self.job.site, job=self.job.name, clock=self._clock)

    def _refuse_to_repeat(self) -> None:
        place = landing_folder(self.job.site, journal_of(self.job.site, self.job.name))
        if self._parts.store.names(place):
            raise UsageError(
                f"job {self.job.name!r} has landed readings ({place}) and its spool {self.path} is gone: "
                "to begin again would double them",
                hint="put the spool back, or give the job another name",
            )

    def _land(self, spool: Spool) -> int:
        if not spool.waiting():
            return 0
        landed = self._pipeline.land()
        spool.prune()
        return landed

    def _count(self, readings: int) -> None:
        self._metrics.count("imported_readings", readings, job=self.job.name)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_name("lock").open("wb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise StorageError(
                    f"job {self.job.name!r} is running in another process",
                    hint="let it, or stop it",
                ) from error
            yield


def spool_path(config: CloudSync, job: ImportJob) -> Path:
    """Where a job's spool is."""
    return config.spool.folder / job.name / FILE_NAME
