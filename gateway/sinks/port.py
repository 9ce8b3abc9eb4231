"""The port of a destination: three verdicts, one method.

``write`` gives each reading of its batches one of three verdicts:

- **accept**: it returned and did not name the reading: the destination has it, durably;
- **reject**: it named the reading in a ``Rejected`` with a reason: the destination will never take
  it, it goes to quarantine, and everything around it went through;
- **keep**: it raised ``SinkUnavailable``: none of the batches counts as written, and all of them come
  again, in order, after a pause. So a write must be idempotent.

Nothing else may be raised; ``deliver`` turns what network code raises anyway into *keep*.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from gateway.consumer import Rejected
from gateway.feed import Entry
from headrace.errors import SinkUnavailable


class Sink(ABC):
    """A destination of readings; used by one thread."""

    @abstractmethod
    def write(self, entries: Sequence[Entry]) -> Sequence[Rejected]:
        """Write batches, in order.

        Raises:
            SinkUnavailable: keep all of them and call again later.
        """

    def probe(self) -> str:
        """Ask the destination whether it would take readings, without writing any (``gateway doctor``).

        Returns what it said of itself; empty where it cannot be asked.

        Raises:
            SinkError: it would not, with a hint.
        """
        return ""

    def idle(self) -> None:  # noqa: B027
        """Nothing has come for about a second: the time for what is done at a time, not at a batch.

        Raises:
            SinkUnavailable: it could not be done; call again later.
        """

    def close(self) -> None:  # noqa: B027
        """Let go of connections."""

    def deliver(self, entries: Sequence[Entry]) -> Sequence[Rejected]:
        """``write``, with every failure as a declared one."""
        try:
            return self.write(entries)
        except OSError as error:
            raise SinkUnavailable(f"{type(self).__name__}: {error}") from error
