"""What a place says of its models, on ``<root>/<device>/model/reported`` and in tables (pure).

::

    {"where": "gateway" | "device", "site": …, "serial": 7, "models": [{"model": "pump", "active": 3, …}]}

``where``: who runs them. A device that runs models itself says so of itself; for one that does not,
its gateway says with which versions it scores that device's readings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from headrace.models.machine import Slot

Where = Literal["gateway", "device"]


def row(slot: Slot) -> dict[str, Any]:
    """One slot for tables, the API and ``--json``."""
    last = slot.refused[-1] if slot.refused else None
    return {
        "model": slot.name,
        "active": slot.active,
        "state": state(slot),
        "candidate": slot.candidate,
        "phase": slot.phase if slot.candidate is not None else None,
        "odd": list(slot.odd),
        "fallbacks": list(slot.fallbacks),
        "refused": [one.version for one in slot.refused],
        "last_refused": last.version if last else None,
        "reason": last.reason if last else "",
        "since": max(slot.since, slot.active_since),
    }


def brief(slot: Slot, version: int) -> dict[str, Any]:
    """What is said of one device that a version has scored: no phases, each would be a message a
    device. ``version`` was replaced a moment ago where it is not the active one: the next message
    says so."""
    return {"model": slot.name, "active": version, "state": state(slot)}


def state(slot: Slot) -> str:
    """``none``, ``probation`` or ``good``."""
    if slot.active is None:
        return "none"
    return "good" if slot.proven else "probation"


def reported(
    where: Where, *, serial: int, models: Iterable[Mapping[str, Any]], site: str = ""
) -> bytes:
    """The payload; ``serial`` is that of the repository's state that was seen last."""
    said = {"where": where, "site": site, "serial": serial, "models": list(models)}
    return msgspec.json.encode({key: value for key, value in said.items() if value != ""})
