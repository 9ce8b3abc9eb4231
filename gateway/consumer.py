"""The port of everyone who reads the journal: inference, rules, notifier and sinks.

A consumer takes committed batches in order and answers with an ``Outcome``. The outcome's results,
state and rejections are committed together with the consumer's cursor in one transaction, so a
result is in the journal exactly once whatever dies when: a consumer is a function from (batches,
state) to (results, state), and the runner does all the rest.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import pyarrow as pa

from gateway.feed import Entry
from gateway.lanes import IN_ORDER, LanePolicy


@dataclass(frozen=True, slots=True)
class Derived:
    """Readings that the gateway makes of others, journalled like any batch.

    ``device`` is where they came from; ``rows`` has ``headrace.codecs.BATCH_SCHEMA``.
    """

    device: str
    rows: pa.RecordBatch
    units: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rejected:
    """A batch (or the part of it in ``rows``) that a consumer will never take: to quarantine."""

    entry: Entry
    reason: str
    detail: str
    rows: pa.RecordBatch | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step leads to; ``state`` maps key to new value, None deletes the key."""

    derived: Sequence[Derived] = ()
    state: Mapping[str, bytes | None] = field(default_factory=dict)
    rejected: Sequence[Rejected] = ()


class Consumer(ABC):
    """Reads committed batches behind a cursor.

    ``name`` is the cursor's name. A ``required`` consumer holds the journal: rows stay until it is
    past them. ``tick_s``: step is called at least this often, with no entries if there are none.
    ``lanes``: in which order and how fast it wants the batches; the state key ``lanes`` is taken.
    """

    name: str
    required: bool = True
    lanes: LanePolicy = IN_ORDER
    tick_s: ClassVar[float] = 1.0

    def restore(self, state: Mapping[str, bytes], now_us: int) -> None:  # noqa: B027
        """Take back what earlier outcomes stored; called once, before the first step."""

    def take_over(self, before: Consumer) -> None:  # noqa: B027
        """Go on in the place of a consumer of the same name, which has stopped; after ``restore``.

        For what is known and not stored, and would be missed: a reload is not a restart.
        """

    @abstractmethod
    def step(self, entries: Sequence[Entry], now_us: int) -> Outcome:
        """Work on ``entries`` (maybe none, at a tick) at the wall-clock time ``now_us``.

        Raises:
            HeadraceError: retryable ones make the runner call again with the same entries after a
                pause; others stop the consumer, visibly.
        """

    def committed(self, outcome: Outcome) -> None:  # noqa: B027
        """The outcome is on disk."""

    def close(self) -> None:  # noqa: B027
        """Let go of connections; called once, after the last step."""
