"""Settings that every sink has; a plugin's own settings class adds to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from headrace.config import FaultList


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkSettings:
    """Base of the settings of all sinks.

    Attributes:
        name: told apart by it in metrics, logs and the journal's cursors; by default the plugin's
            name. Renaming a sink starts it at the journal's beginning again.
        required: hold the journal until this sink has taken a batch. Off, a destination that is
            away for long is skipped past (counted) rather than filling the gateway's disk.
    """

    name: str = ""
    required: bool = False


def check_names(named: Sequence[tuple[str, str]], found: FaultList) -> None:
    """Add a fault for each (key, name) whose name was taken before."""
    seen: set[str] = set()
    for key, name in named:
        if name in seen:
            found.add(f"{key}.name", f"{name!r} is there twice; give each sink its own name")
        seen.add(name)
