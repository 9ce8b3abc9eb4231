"""The one thread that commits: takes groups from the inbox through the pipeline.

A journal that is full or fails does not lose the group: it is held and tried again with growing
pauses. Meanwhile the inbox fills up, the broker slows its senders down, and nothing is acknowledged.
Results of consumers are let through if that is possible, because their cursors may be what frees
the journal.
"""

from __future__ import annotations

import logging
import threading
import time

from gateway.ingest.inbox import Inbox, Submission, Work
from gateway.journal import JournalWriter
from gateway.pipeline import Pipeline
from headrace.errors import HeadraceError, StorageError, StorageFull
from headrace.limits.ingest import ACKS_LOOK_S
from headrace.logs import Condition

logger = logging.getLogger(__name__)

_IDLE_S = 0.5
_FIRST_PAUSE_S = 0.1
_MAX_PAUSE_S = 5.0

#: Groups between two looks at what may be pruned: each look costs one statement or two.
_TIDY_EVERY = 50


class IngestFault(HeadraceError):
    """The thread that commits raised what it should not."""


class IngestWorker:
    """Runs the pipeline until it is stopped; ``failure`` says what ended it otherwise."""

    def __init__(self, inbox: Inbox, pipeline: Pipeline, journal: JournalWriter) -> None:
        self._inbox = inbox
        self._pipeline = pipeline
        self._journal = journal
        self._condition = Condition(logger, "journal")
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ingest")
        self._look_at = 0.0
        self.failure: HeadraceError | None = None
        self.ended = threading.Event()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Commit what is in the inbox, then end."""
        self._inbox.close()
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    @property
    def stalled(self) -> bool:
        """Whether the journal takes nothing at present."""
        return self._condition.is_bad

    def _run(self) -> None:
        # What it was if nothing else is said: a fault of ours. Python prints where.
        failure: HeadraceError | None = IngestFault(
            "the ingest thread has ended by a fault of its own; its traceback is in the log",
            hint="what was not acknowledged comes again; report it, with the quarantine's newest",
        )
        try:
            self._take_groups()
            failure = None
        except HeadraceError as error:
            failure = error
            logger.error("the journal cannot go on: %s", error)
        finally:
            self.failure = failure
            self._pipeline.close()
            self.ended.set()

    def _take_groups(self) -> None:
        groups = 0
        while True:
            stopping = self._stopping.is_set()
            work = self._inbox.take(0.0 if stopping else _IDLE_S)
            if work:
                self._commit(work)
            elif stopping:
                return
            self._confirm_late()
            groups += 1
            if not work or groups % _TIDY_EVERY == 0:
                self._tidy()

    def _commit(self, work: Work) -> None:
        pause = _FIRST_PAUSE_S
        while True:
            try:
                self._pipeline.process(work)
            except StorageError as error:
                if not error.retryable:
                    raise
                self._condition.bad(error)
                self._let_results_through(work, error)
            else:
                self._condition.good()
                return
            if self._stopping.wait(pause):
                return  # never acknowledged: brokers and devices still have all of it
            pause = min(pause * 2, _MAX_PAUSE_S)
            # Rows that wait for their acks are what a full journal may be full of.
            self._confirm_late()
            self._tidy()

    def _let_results_through(self, work: Work, error: StorageError) -> None:
        """Commit submissions alone, those of the group and those that came since."""
        if not isinstance(error, StorageFull):
            return
        more = self._inbox.take_submissions()
        results: list[Submission] = [*work.submissions, *more]
        try:
            if results:
                self._pipeline.process_submissions(results)
                results = []
        except StorageError as again:
            logger.debug("results of consumers wait too: %s", again)
        work.submissions = results

    def _confirm_late(self) -> None:
        now = time.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + ACKS_LOOK_S
        try:
            self._pipeline.confirm_late()
        except StorageError as error:
            if not error.retryable:
                raise
            logger.debug("acks have to wait: %s", error)

    def _tidy(self) -> None:
        try:
            self._journal.tidy()
        except StorageError as error:
            if not error.retryable:
                raise
            logger.debug("pruning has to wait: %s", error)
