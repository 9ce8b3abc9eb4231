"""A version's view of the readings, and how versions are tried: what ``live`` works with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeVar

from headrace.models.gates import Gates
from headrace.models.run import Run

Seen = TypeVar("Seen", contravariant=True)
Found = TypeVar("Found")


class Lane(Protocol[Seen, Found]):
    """A version and its view of the readings."""

    @property
    def run(self) -> Run: ...

    def step(self, seen: Seen) -> list[Found]:
        """Results for what was seen; the same again until ``committed``.

        Raises:
            ModelError: the version did not give scores.
        """
        ...

    def committed(self) -> None:
        """The last step's results are taken over."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """How versions are tried: seconds in shadow and on probation, gates, a call's deadline."""

    shadow_s: float
    probation_s: float
    gates: Gates
    call_timeout_s: float
    threshold: float | None = None
