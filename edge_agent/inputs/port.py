"""The input port.

An input is polled by one thread at a time and never by two. Between ``open`` and ``close``:

- ``poll`` returns what there is now and never waits for the outside world longer than its interval.
  It returns at most ``MAX_POLL_ROWS`` readings; ``Poll.more`` asks for another poll at once.
- A poll and its checkpoint are one: either both reach the buffer or neither does. After a restart
  ``open`` gets the last checkpoint that was stored, so an input that goes on from there neither
  loses nor repeats a reading, whenever the agent was killed.
- ``lossless`` inputs read something that waits (a file). When the buffer is full they are held up
  instead of being cut, and the same poll is offered until it fits.
- Whatever ``poll`` raises is counted, said once and tried again at the next interval; other inputs
  go on. Nothing that it raises ends the agent.

Settings are a frozen dataclass. A method ``problems()`` on it, returning (key, problem) pairs, says
what single fields cannot: a file that is not there, two keys that exclude each other. Its
``warnings()`` says what is odd and may be meant: the agent says it once and starts.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol, runtime_checkable

from edge_agent.readings import Poll
from headrace.clock import Clock


class Input(ABC):
    """One source of readings."""

    #: Seconds between two polls.
    interval_s: float = 1.0

    #: Held up rather than cut when the buffer is full.
    lossless: bool = False

    def open(self, *, clock: Clock, checkpoint: str | None) -> None:
        """Before the first poll."""
        self.clock = clock
        del checkpoint

    @abstractmethod
    def poll(self) -> Poll:
        """What there is now."""

    def interrupt(self) -> None:  # noqa: B027  (most polls are over in no time)
        """The agent stops: end a running poll early. The one call that comes from another thread."""

    def close(self) -> None:  # noqa: B027  (most inputs hold nothing that must be closed)
        """After the last poll."""


@runtime_checkable
class SelfChecking(Protocol):
    """Settings that can say what is wrong with themselves as a whole."""

    def problems(self) -> list[tuple[str, str]]:
        """(key, problem) pairs; empty when all is well."""
        ...


@runtime_checkable
class Advising(Protocol):
    """Settings that can say what is odd about them and may be meant (an unknown unit)."""

    def warnings(self) -> list[tuple[str, str]]:
        """(key, what is odd) pairs; empty when all is well."""
        ...
