"""Steps of the gateway's models as readings (pure); the present is ``headrace.models.reports``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
import pyarrow as pa

from gateway.consumer import Derived
from headrace.codecs import BATCH_SCHEMA
from headrace.derived import event_name
from headrace.models.machine import Step

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
