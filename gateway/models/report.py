"""What the gateway says of its models: steps as readings, the present as one message (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import pyarrow as pa

from gateway.consumer import Derived
from headrace.codecs import BATCH_SCHEMA
from headrace.derived import event_name
from headrace.models.machine import Slot, Step

_DEVICE_CHARS: Final = 64


def gateway_device(site: str) -> str:
    """The device that a gateway's own readings are of."""
    return f"gateway-{site}"[:_DEVICE_CHARS]


def events(site: str, steps: Sequence[Step]) -> Derived:
    """Steps as readings: text JSON, at the time they happened."""
    names = [event_name(step.model) for step in steps]
    texts = [
        msgspec.json.encode(
            {"version": step.version, "state": step.state, "reason": step.reason}
        ).decode()
        for step in steps
    ]
    columns = [
        pa.array(names).dictionary_encode(),
        pa.array([step.at for step in steps], pa.int64()).cast(BATCH_SCHEMA.field("time").type),
        pa.nulls(len(steps), pa.float64()),
        pa.array(texts, pa.utf8()),
    ]
    return Derived(gateway_device(site), pa.RecordBatch.from_arrays(columns, schema=BATCH_SCHEMA))


def row(slot: Slot) -> dict[str, Any]:
    """One slot for tables, the API and ``--json``."""
    last = slot.refused[-1] if slot.refused else None
    return {
        "model": slot.name,
        "active": slot.active,
        "state": _state(slot),
        "candidate": slot.candidate,
        "phase": slot.phase if slot.candidate is not None else None,
        "fallbacks": list(slot.fallbacks),
        "refused": [one.version for one in slot.refused],
        "last_refused": last.version if last else None,
        "reason": last.reason if last else "",
        "since": max(slot.since, slot.active_since),
    }


def reported(site: str, serial: int, slots: Sequence[Slot]) -> bytes:
    """The payload of ``<root>/gateway-<site>/model/reported``."""
    return msgspec.json.encode(
        {"site": site, "serial": serial, "models": [row(slot) for slot in slots]}
    )


def _state(slot: Slot) -> str:
    if slot.active is None:
        return "none"
    return "good" if slot.proven else "probation"
