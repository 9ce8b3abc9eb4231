"""Settings that every sink has; a plugin's own settings class adds to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from gateway.lanes import LanePolicy
from headrace.config import FaultList
from headrace.limits.sinks import BACKFILL_SHARE, LIVE_WITHIN_S

#: Readings a second; 0 is no limit.
Rate = Annotated[float, Meta(ge=0)]

#: What a destination that files by time does with readings whose time cannot be right (decision 23).
OddTimes = Literal["hold", "send"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkSettings:
    """Base of the settings of all sinks.

    Attributes:
        name: told apart by it in metrics, logs and the journal's cursors; by default the plugin's
            name. Renaming a sink starts it at the journal's beginning again.
        required: hold the journal until this sink has taken a batch. Off, a destination that is
            away for long is skipped past (counted) rather than filling the gateway's disk.
        live_first: after an outage go on with what arrives now, and bring what was missed beside it.
            Off, everything goes in order, and the newest readings come last.
        live_within_s: how late live readings may be before that happens.
        max_readings_per_s: never more than this, live and history together.
        backfill_readings_per_s: never more history than this.
        backfill_share: of the destination's time, for history; the rest is for live readings.
    """

    name: str = ""
    required: bool = False
    live_first: bool = True
    live_within_s: Annotated[float, Meta(gt=0)] = LIVE_WITHIN_S
    max_readings_per_s: Rate = 0.0
    backfill_readings_per_s: Rate = 0.0
    backfill_share: Annotated[float, Meta(gt=0, le=1)] = BACKFILL_SHARE

    @property
    def holds_odd_times(self) -> bool:
        """Whether readings of odd times stay with the lake; for destinations that are cut by time."""
        return False

    @property
    def lanes(self) -> LanePolicy:
        """The same for the runner."""
        return LanePolicy(
            live_first=self.live_first,
            live_within_s=self.live_within_s,
            max_readings_per_s=self.max_readings_per_s,
            backfill_readings_per_s=self.backfill_readings_per_s,
            backfill_share=self.backfill_share,
        )


def check_names(named: Sequence[tuple[str, str]], found: FaultList) -> None:
    """Add a fault for each (key, name) whose name was taken before."""
    seen: set[str] = set()
    for key, name in named:
        if name in seen:
            found.add(f"{key}.name", f"{name!r} is there twice; give each sink its own name")
        seen.add(name)
