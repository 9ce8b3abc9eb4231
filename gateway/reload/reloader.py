"""Reads gateway.toml again and exchanges what has changed, without losing or repeating a batch.

    read the file ─► compare ─► make the new parts ─► stop the old ones ─► start the new ones
    (every fault:      (a key that     (what cannot be    (at a batch           (at the cursor and
     nothing changes)   may not:        made: nothing      boundary)             state in the journal)
                        nothing changes) changes)

A consumer that was stopped has one more thing to commit: a barrier, behind which all that it has said
is in the journal together with its cursor. The new one starts from there, so rules keep what is
pending and firing, and a sink goes on with the batch behind the last one that was confirmed.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from gateway import running
from gateway.assembly import Parts, makers
from gateway.assembly.consumers import make_vitals
from gateway.config import GatewayConfig, load_config
from gateway.consumer import Consumer, Outcome
from gateway.ingest.inbox import Submission
from gateway.reload import changes
from gateway.reload.changes import Changes
from gateway.reload.ways_in import WaysIn
from gateway.runner import ConsumerRunner
from gateway.running import Answer
from headrace import logs
from headrace.errors import ConfigError, Fault, HeadraceError, StorageError
from headrace.journal import JournalReader

logger = logging.getLogger(__name__)

_WAIT_S: Final = 0.2

#: A key of the consumer's state that is never there: writing it is what makes a barrier durable.
_BARRIER: Final = "barrier"


class Reloader:
    """Changes a running gateway; used by one thread at a time.

    Args:
        parts: of the running gateway.
        path: its gateway.toml.
        loop: where its ways in live.
    """

    def __init__(self, parts: Parts, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._parts = parts
        self._path = path
        self._config = parts.common.config
        self._settings = changes.settings_of(self._config)
        self._ways_in = WaysIn(parts.common, parts.sources, loop)
        self._stopping = threading.Event()
        self._number = 0

    def stop(self) -> None:
        """Let a reload that waits end: the gateway stops."""
        self._stopping.set()

    def reload(self) -> Answer:
        """Read the file again, and leave the answer for whoever has asked."""
        self._number += 1
        try:
            lines = self._reload()
        except HeadraceError as error:
            logger.error("reload refused, everything stays as it was: %s", error)
            answer = Answer(self._number, False, tuple(str(error).splitlines()))
        else:
            logger.info("reloaded %s: %s", self._path, ", ".join(lines))
            answer = Answer(self._number, True, lines)
        try:
            running.answer(self._config.data_dir, answer)
        except StorageError as error:
            # Who has asked is told that there is no answer; the gateway goes on.
            logger.warning("nobody can be told how the reload went: %s", error)
        return answer

    def _reload(self) -> tuple[str, ...]:
        config = load_config(self._path)
        settings = changes.settings_of(config)
        what = changes.between(self._config, config, self._settings, settings)
        if what.refused:
            problem = "cannot be changed while the gateway runs; restart it, or change this back"
            raise ConfigError(str(self._path), [Fault(key, problem) for key in what.refused])
        what = replace(what, failed=self._failed(what, settings))
        ways_in = self._ways_in.make(config, {*what.added, *what.exchanged})
        made = self._make(config, what)
        self._ways_in.exchange((*what.removed, *what.exchanged), ways_in, self._config)
        self._parts.retention.change(
            max_bytes=config.journal.max_bytes, hold_for=config.journal.hold_for
        )
        self._parts.common.limits.change(config.limits)
        logs.configure(config.log)
        self._exchange(what, made)
        self._config, self._settings = config, settings
        return what.lines()

    def _failed(self, what: Changes, settings: Mapping[str, bytes]) -> tuple[str, ...]:
        """Consumers that had ended for good and would not be exchanged anyway: they get another try."""
        return tuple(
            runner.consumer.name
            for runner in self._parts.runners
            if runner.failure is not None
            and runner.consumer.name in settings
            and runner.consumer.name not in what.exchanged
        )

    def _make(self, config: GatewayConfig, what: Changes) -> list[Consumer]:
        """The new consumers. What cannot be made is found before anything is stopped."""
        made: list[Consumer] = []
        wanted = {*what.added, *what.exchanged, *what.failed}
        try:
            for name, make in makers(self._parts.common, config).items():
                if name in wanted:
                    made.append(make())
            if "vitals" in wanted:
                made.append(make_vitals(self._parts.common, config, self._parts.status))
        except HeadraceError:
            for consumer in made:
                consumer.close()
            raise
        return made

    def _exchange(self, what: Changes, made: Sequence[Consumer]) -> None:
        gone = {
            runner.consumer.name: runner
            for runner in self._parts.runners
            if runner.consumer.name in {*what.removed, *what.exchanged, *what.failed}
        }
        for runner in gone.values():
            runner.signal_stop()
        for runner in gone.values():
            runner.join()
            self._settle(runner)
        if self._stopping.is_set():
            return
        runners = [self._parts.common.runner(consumer) for consumer in made]
        with JournalReader(self._parts.journal.path) as journal:
            for name in what.removed:
                # A cursor that nobody moves any more would hold the journal.
                journal.forget(name)
            for runner in runners:
                _start(runner, gone.get(runner.consumer.name), journal)
        # The same list is read by others meanwhile: it is exchanged in one step.
        kept = [runner for runner in self._parts.runners if runner.consumer.name not in gone]
        self._parts.runners[:] = [*kept, *runners]

    def _settle(self, runner: ConsumerRunner) -> None:
        """Wait until all that a stopped consumer has said is in the journal."""
        consumer = runner.consumer
        barrier = Submission(
            consumer.name, runner.cursor, consumer.required, Outcome(state={_BARRIER: None})
        )
        self._parts.common.inbox.submit(barrier)
        while not barrier.committed.wait(_WAIT_S):
            if self._stopping.is_set() or self._parts.ingest.ended.is_set():
                return


def _start(runner: ConsumerRunner, before: ConsumerRunner | None, journal: JournalReader) -> None:
    consumer = runner.consumer
    journal.move_cursor(consumer.name, 0, required=consumer.required)
    runner.start(
        journal.cursor(consumer.name),
        journal.state(consumer.name),
        before.consumer if before is not None else None,
    )
