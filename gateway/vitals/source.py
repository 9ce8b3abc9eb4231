"""Takes the look: metrics, live state of devices, and the journal's own tables.

Bounded by devices (headrace/limits): those that have not been heard for long are left out, and
beyond the bound the first by name are kept, so that series do not come and go; how many were left
out is a reading of its own.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from gateway.live import Live
from gateway.status import Status
from gateway.vitals.look import Look
from headrace.journal import JournalReader
from headrace.limits.consumers import VITALS_FORGET_S, VITALS_MAX_DEVICES
from headrace.metrics import Metrics

_SECOND_US: Final = 1_000_000

#: The cursor's name of the consumer that looks: its own lag is no news.
NAME: Final = "vitals"

_RATES: Final = {
    "readings_per_s": "journalled_readings_total",
    "batches_per_s": "received_batches_total",
    "bytes_per_s": "received_bytes_total",
}
_COUNTS: Final = (
    "duplicate_readings", "refused_batches", "dropped_batches", "skipped_batches",
    "consumer_failures", "commit_failures", "rejected_readings",
)  # fmt: skip


class Source:
    """Looks at the parts of a running gateway; remembers the counters of the look before."""

    def __init__(self, *, status: Status, live: Live, metrics: Metrics, journal: Path) -> None:
        self._status = status
        self._live = live
        self._metrics = metrics
        self._journal = journal
        self._before: Mapping[str, float] = Counter()

    def look(self, now_us: int, elapsed_s: float) -> Look:
        """What there is to see; ``elapsed_s`` since the look before, or the start.

        Raises:
            StorageError: the journal cannot be read.
        """
        self._status.refresh_metrics(self._live.online, self._live.clock_offsets())
        totals = _totals(self._metrics)
        with JournalReader(self._journal) as reader:
            heard = {name: last for name, _, last in reader.devices()}
            consumers = self._status.consumers()
            lags = dict(_lags(consumers, reader, now_us))
        since = Counter(
            {name: total - self._before.get(name, 0.0) for name, total in totals.items()}
        )
        devices, left_out = self._devices(heard, now_us)
        own = dict(_flow(since, elapsed_s)) | lags
        own |= {
            "journal_bytes": totals["journal_bytes"],
            "gap_readings_total": totals["gap_readings"],
            "broker_connected": totals["broker_connected"],
            "devices_online": totals["devices_online"],
            "devices": float(len(devices)),
            "devices_left_out": float(left_out),
            "damaged_batches": totals["damaged_batches"],
            "disk_free_bytes": float(shutil.disk_usage(self._journal.parent).free),
            "quarantined": own["refused_batches"] + own["rejected_readings"],
            "consumers_stopped": float(sum(each["failure"] is not None for each in consumers)),
            **_certificates(self._metrics, totals),
        }
        self._before = totals
        return Look(own, devices)

    def _devices(
        self, heard: Mapping[str, int], now_us: int
    ) -> tuple[dict[str, dict[str, float]], int]:
        oldest = now_us - VITALS_FORGET_S * _SECOND_US
        known = sorted(device for device, last in heard.items() if last >= oldest)
        states = {row["device"]: row for row in self._live.devices()}
        # At once: to ask for each goes through all metrics, which are the more the more devices there are.
        gaps = self._metrics.by_label("gap_readings", "device")
        found = {
            device: {
                "silent_s": max(0.0, (now_us - heard[device]) / _SECOND_US),
                "gap_readings": gaps.get(device, 0.0),
                "clock_ahead_s": max(0.0, states.get(device, {}).get("ahead", 0) / _SECOND_US),
                "clock_offset_s": states.get(device, {}).get("clock_offset", 0) / _SECOND_US,
                **_said(states.get(device, {})),
            }
            for device in known[:VITALS_MAX_DEVICES]
        }
        return found, len(known) - len(found)


def _said(state: Mapping[str, Any]) -> dict[str, float]:
    """What a device said of itself, where it has said anything."""
    if state.get("online") is None:
        return {}
    return {
        "online": float(state["online"]),
        "buffered": float(state["buffered"]),
        "dropped": float(sum(state["dropped"].values())),
    }


def _totals(metrics: Metrics) -> Counter[str]:
    """Metrics by short name, summed over their labels; a missing one counts as 0."""
    totals: Counter[str] = Counter()
    for family in metrics.registry.collect():
        for sample in family.samples:
            name = sample.name.removeprefix("headrace_gateway_")
            totals[name] += sample.value  # type: ignore[assignment]  # counts of floats
            if name == "sink_readings_total" and sample.labels["verdict"] == "reject":
                totals["rejected_readings_total"] += sample.value  # type: ignore[assignment]
    return totals


def _certificates(metrics: Metrics, totals: Mapping[str, float]) -> dict[str, float]:
    """Until when the gateway's own are good, and how many of the devices' are not for long."""
    found = {
        f"certificate_days/{sample.labels['certificate']}": sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == "headrace_gateway_certificate_days"
    }
    return found | {"certificates_ending": totals["certificates_ending"]} if found else {}


def _flow(since: Mapping[str, float], elapsed_s: float) -> Iterator[tuple[str, float]]:
    """Rates and counts since the look before."""
    for name, counter in _RATES.items():
        yield name, since[counter] / max(elapsed_s, 1e-3)
    for name in _COUNTS:
        yield name, since[f"{name}_total"]
    if since["commit_seconds_count"]:
        yield "commit_s", since["commit_seconds_sum"] / since["commit_seconds_count"]


def _lags(
    consumers: list[dict[str, Any]], reader: JournalReader, now_us: int
) -> Iterator[tuple[str, float]]:
    """How far each consumer is behind, in batches and by the arrival of the oldest of them."""
    for consumer in consumers:
        name = consumer["consumer"]
        if name == NAME:
            continue
        oldest = reader.received_after(consumer["cursor"]) if consumer["lag_batches"] else None
        yield f"lag_batches/{name}", float(consumer["lag_batches"])
        yield f"lag_s/{name}", 0.0 if oldest is None else max(0.0, (now_us - oldest) / _SECOND_US)
