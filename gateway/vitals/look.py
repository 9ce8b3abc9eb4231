"""What one look at the gateway finds, and how it becomes readings.

Of the gateway itself (device ``gateway-<site>``), all named ``gateway/<what>``:

- ``lag_batches/<consumer>``, ``lag_s/<consumer>``   behind the head: batches, age of the oldest
- ``readings_per_s``, ``batches_per_s``, ``bytes_per_s``, ``commit_s``   since the look before
- ``refused_batches``, ``duplicate_readings``, …   counts since the look before
- ``journal_bytes``, ``gap_readings_total``, ``devices``, ``devices_online``, ``broker_connected``,
  ``damaged_batches``, ``disk_free_bytes``, ``consumers_stopped``   now
- ``certificate_days/<gateway or broker>``, ``certificates_ending``   where the gateway is a CA: until its
  own certificates end; devices whose certificates end within a month

Of each device, as readings of that device: ``silent_s``, ``gap_readings``, ``clock_ahead_s``,
``clock_offset_s``, and what it said of itself last: ``online``, ``buffered``, ``dropped``.

Counts are since the look before, not since the start: their sum over any time is right whatever
was restarted, and no query has to know about counters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa

from gateway.consumer import Derived
from headrace.codecs import BATCH_SCHEMA
from headrace.derived import VITALS_PREFIX

#: SenML units of what is not a plain number, by the name's first part.
UNITS: Final[Mapping[str, str]] = {
    "lag_s": "s", "commit_s": "s", "silent_s": "s", "journal_bytes": "B", "bytes_per_s": "B/s",
    "readings_per_s": "1/s", "batches_per_s": "1/s", "lag_batches": "count", "gap_readings": "count", "gap_readings_total": "count",
    "refused_batches": "count", "duplicate_readings": "count", "dropped_batches": "count",
    "skipped_batches": "count", "consumer_failures": "count", "commit_failures": "count",
    "damaged_batches": "count", "disk_free_bytes": "B", "quarantined": "count",
    "consumers_stopped": "count", "clock_ahead_s": "s", "clock_offset_s": "s", "rejected_readings": "count", "devices": "count", "devices_online": "count",
    "devices_left_out": "count", "buffered": "count", "dropped": "count", "firing": "count",
    "certificates_ending": "count",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Look:
    """Values by name without the prefix: of the gateway, and of each device."""

    own: Mapping[str, float]
    devices: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Vital:
    """One reading to be made; exactly one of value and text is set."""

    name: str
    time: int
    value: float | None = None
    text: str | None = None


def device_of(site: str) -> str:
    """The device that the gateway's own readings belong to; a device id is 64 characters at most."""
    return f"gateway-{site}"[:64]


def readings(look: Look, own_device: str, now_us: int) -> Iterator[tuple[str, Vital]]:
    """(device, reading) of everything that was seen."""
    for device, values in ((own_device, look.own), *look.devices.items()):
        for name, value in values.items():
            yield device, Vital(name, now_us, value)


def derived(found: Sequence[tuple[str, Vital]]) -> list[Derived]:
    """One batch a device."""
    by_device: dict[str, list[Vital]] = {}
    for device, vital in found:
        by_device.setdefault(device, []).append(vital)
    return [_batch(device, vitals) for device, vitals in by_device.items()]


def _batch(device: str, vitals: Sequence[Vital]) -> Derived:
    names = [VITALS_PREFIX + vital.name for vital in vitals]
    columns = [
        pa.array(names, pa.utf8()).dictionary_encode(),
        pa.array([vital.time for vital in vitals], pa.int64()).cast(
            BATCH_SCHEMA.field("time").type
        ),
        pa.array([vital.value for vital in vitals], pa.float64()),
        pa.array([vital.text for vital in vitals], pa.utf8()),
    ]
    units = {name: UNITS[what] for name in names if (what := name.split("/")[1]) in UNITS}
    return Derived(device, pa.RecordBatch.from_arrays(columns, schema=BATCH_SCHEMA), units)
