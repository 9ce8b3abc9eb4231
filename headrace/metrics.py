"""Every metric of the programs, in one table: name, kind, labels, help (with the unit).

Names follow Prometheus: ``headrace_<program>_<what>_<unit>[_total]``. A process creates the part of
the table that it owns with ``Metrics("gateway")`` and reaches a metric by its short name; asking
for one that is not in the table is a programming error and fails at once.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class Spec:
    """One metric of the table."""

    program: str
    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()

    @property
    def full_name(self) -> str:
        suffix = "_total" if self.kind == "counter" else ""
        return f"headrace_{self.program}_{self.name}{suffix}"


TABLE: Final[tuple[Spec, ...]] = (
    Spec("agent", "sampled_readings", "counter", "Readings that inputs produced", ("input",)),
    Spec("agent", "sealed_batches", "counter", "Batches committed to the buffer"),
    Spec("agent", "dropped_readings", "counter", "Readings dropped, by reason", ("reason",)),
    Spec("agent", "widened_readings", "counter", "Integers that became the nearest float64", ("input",)),
    Spec("agent", "acknowledged_readings", "counter", "Readings that the gateway has on disk"),
    Spec("agent", "resent_batches", "counter", "Batches sent again for want of an ack"),
    Spec("agent", "input_failures", "counter", "Polls of an input that failed", ("input",)),
    Spec("agent", "buffered_readings", "gauge", "Readings in the buffer, not acknowledged yet"),
    Spec("agent", "connected", "gauge", "1 while the broker connection stands"),
    Spec("agent", "certificate_days", "gauge", "Days until the device's certificate ends"),
    Spec("agent", "certificate_renewals", "counter", "Attempts to renew it", ("outcome",)),
    Spec("gateway", "received_batches", "counter", "Payloads that arrived", ("format",)),
    Spec("gateway", "received_bytes", "counter", "Bytes of payloads that arrived", ("format",)),
    Spec("gateway", "journalled_readings", "counter", "Readings committed to the journal"),
    Spec("gateway", "duplicate_readings", "counter", "Readings that had arrived before"),
    Spec("gateway", "widened_readings", "counter", "Integers that became the nearest float64"),
    Spec("gateway", "refused_batches", "counter", "Payloads sent to quarantine", ("reason",)),
    Spec("gateway", "trimmed_payloads", "counter", "Payloads that left quarantine to make room for newer ones"),
    Spec("gateway", "dropped_batches", "counter", "Arrivals dropped unacknowledged", ("reason",)),
    Spec("gateway", "limited_batches", "counter", "Batches of devices over their limits, by what became of them", ("device", "what")),
    Spec("gateway", "commit_seconds", "histogram", "Duration of a group commit, fsync included"),
    Spec("gateway", "commit_failures", "counter", "Group commits that failed", ("reason",)),
    Spec("gateway", "journal_bytes", "gauge", "Size of the journal file"),
    Spec("gateway", "damaged_batches", "gauge", "Places of the journal that could not be read"),
    Spec("gateway", "journal_head", "gauge", "Last offset of the journal"),
    Spec("gateway", "consumer_lag_batches", "gauge", "Batches behind the head", ("consumer",)),
    Spec("gateway", "consumer_failures", "counter", "Steps of a consumer that failed", ("consumer",)),
    Spec("gateway", "sink_readings", "counter", "Readings by verdict of the sink", ("sink", "verdict")),
    Spec("gateway", "lane_readings", "counter", "Readings that a sink has dealt with, by lane", ("sink", "lane")),
    Spec("gateway", "lane_lag_batches", "gauge", "Batches that a sink's lane has before it", ("sink", "lane")),
    Spec("gateway", "skipped_batches", "counter", "Batches an optional sink was skipped past", ("sink",)),
    Spec("gateway", "gap_readings", "gauge", "Readings missing between what arrived", ("device",)),
    Spec("gateway", "clock_offset_seconds", "gauge", "Clock of a device against the gateway's, ahead above 0; only those 2 s off", ("device",)),
    Spec("gateway", "schema_notices", "counter", "Series that got a second type, another unit, or integers beyond float64", ("what",)),
    Spec("gateway", "inference_rows", "counter", "Feature rows scored", ("model",)),
    Spec("gateway", "inference_incomplete", "counter", "Times given up for a missing feature", ("model",)),
    Spec("gateway", "model_switches", "counter", "Versions by what became of them", ("model", "to")),
    Spec("gateway", "alerts", "counter", "Alert transitions", ("rule", "state")),
    Spec("gateway", "notifications", "counter", "Notifications by outcome", ("outcome",)),
    Spec("gateway", "broker_connected", "gauge", "1 while the broker is up and subscribed"),
    Spec("gateway", "source_messages", "counter", "Messages that a source took", ("source",)),
    Spec("gateway", "source_partitions", "gauge", "Kafka partitions that a source reads", ("source",)),
    Spec("gateway", "sparkplug_connected", "gauge", "1 while the Sparkplug host is subscribed"),
    Spec("gateway", "sparkplug_messages", "counter", "Messages of Sparkplug nodes", ("type",)),
    Spec("gateway", "sparkplug_rebirths", "counter", "Births asked for, by reason", ("reason",)),
    Spec("gateway", "sparkplug_held", "gauge", "Sparkplug messages that wait for a birth"),
    Spec("gateway", "dropped_answers", "counter", "Acks dropped because the broker took none; devices ask again"),
    Spec("gateway", "http_requests", "counter", "Requests to the HTTP ingest by answer", ("status",)),
    Spec("gateway", "denied_connections", "counter", "Clients that the broker's door refused or cut", ("reason",)),
    Spec("gateway", "denied_messages", "counter", "Publishes and subscriptions outside a device's topics or over a bound", ("action",)),
    Spec("gateway", "devices_online", "gauge", "Devices whose state says online"),
    Spec("gateway", "certificate_days", "gauge", "Days until a certificate of the gateway's ends", ("certificate",)),
    Spec("gateway", "certificates_ending", "gauge", "Devices whose certificate ends within 30 days"),
    Spec("cloud_sync", "landed_readings", "counter", "Readings written to the landing zone"),
    Spec("cloud_sync", "resent_landings", "counter", "Damaged landings made again from the journal"),
    Spec("cloud_sync", "registered_readings", "counter", "Readings added to the Iceberg table"),
    Spec("cloud_sync", "registered_files", "counter", "Data files added to the Iceberg table"),
    Spec("cloud_sync", "repeated_readings", "counter", "Readings kept out of the table, because another journal of their site has brought them"),
    Spec("cloud_sync", "lost_registrations", "counter", "Commits that another writer was faster than, tried again at once"),
    Spec("cloud_sync", "held_journals", "gauge", "Journals that cannot be registered further at present"),
    Spec("cloud_sync", "failures", "counter", "Steps that failed and are tried again", ("step",)),
    Spec("cloud_sync", "compacted_readings", "counter", "Rows that compaction rewrote"),
    Spec("cloud_sync", "computed_rows", "counter", "Rows of rollups and features that were computed"),
    Spec("cloud_sync", "compacted_files", "counter", "Data files that compaction replaced"),
    Spec("cloud_sync", "lost_compactions", "counter", "Compactions given up because another process was faster"),
    Spec("cloud_sync", "retired_readings", "counter", "Rows past the days that their table keeps"),
    Spec("cloud_sync", "removed_files", "counter", "Data files deleted that nobody needs any more"),
    Spec("cloud_sync", "table_files", "gauge", "Data files of a table", ("table",)),
    Spec("cloud_sync", "table_bytes", "gauge", "Bytes of a table's data files", ("table",)),
    Spec("cloud_sync", "table_snapshots", "gauge", "Snapshots of a table", ("table",)),
    Spec("cloud_sync", "judged_days", "counter", "Days whose quality was computed"),
    Spec("cloud_sync", "incomplete_series", "gauge", "Series of the newest judged day that is over with less than 95 % of what is expected"),
    Spec("cloud_sync", "lag_batches", "gauge", "Journal batches that have not landed yet"),
    Spec("cloud_sync", "unregistered_batches", "gauge", "Journal batches that have landed and are not registered yet"),
    Spec("cloud_sync", "raw_payloads", "counter", "Payloads kept in the raw zone"),
    Spec("cloud_sync", "imported_readings", "counter", "Readings that import jobs brought", ("job",)),
    Spec("serve", "requests", "counter", "Questions by the status of their answer; 499: nobody waited", ("status",)),
    Spec("serve", "seconds", "histogram", "From a question to the end of its answer, waiting for a worker included"),
    Spec("serve", "running", "gauge", "Workers that answer a question at present"),
    Spec("serve", "killed_workers", "counter", "Workers that were killed or died, and replaced"),
    Spec("serve", "read_files", "counter", "Files that questions had opened"),
    Spec("serve", "skipped_files", "counter", "Files that could not hold what was asked for"),
    Spec("serve", "sent_bytes", "counter", "Bytes of answers"),
)  # fmt: skip


class Metrics:
    """The metrics of one program, in a registry of its own (several may live in one test)."""

    def __init__(self, program: str) -> None:
        self.registry = CollectorRegistry()
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        self._histograms: dict[str, Histogram] = {}
        for spec in TABLE:
            if spec.program == program:
                self._create(spec)

    def _create(self, spec: Spec) -> None:
        name = f"headrace_{spec.program}_{spec.name}"
        match spec.kind:
            case "counter":
                made = Counter(name, spec.help, spec.labels, registry=self.registry)
                self._counters[spec.name] = made
            case "gauge":
                self._gauges[spec.name] = Gauge(
                    name, spec.help, spec.labels, registry=self.registry
                )
            case "histogram":
                self._histograms[spec.name] = Histogram(
                    name, spec.help, spec.labels, registry=self.registry
                )

    def count(self, name: str, amount: float = 1.0, **labels: str) -> None:
        """Add to a counter."""
        counter = self._counters[name]
        (counter.labels(**labels) if labels else counter).inc(amount)

    def set(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge."""
        gauge = self._gauges[name]
        (gauge.labels(**labels) if labels else gauge).set(value)

    def forget(self, name: str, **labels: str) -> None:
        """Drop a labelled gauge that there is nothing to say about any more."""
        with contextlib.suppress(KeyError):  # it was never set
            self._gauges[name].remove(*labels.values())

    def observe(self, name: str, value: float) -> None:
        """Add an observation to a histogram."""
        self._histograms[name].observe(value)

    def value(self, name: str, **labels: str) -> float:
        """The present value of a counter or gauge; 0 when it was never touched."""
        for spec in TABLE:
            if spec.name == name:
                found = self.registry.get_sample_value(spec.full_name, labels or None)
                if found is not None:
                    return found
        return 0.0

    def by_label(self, name: str, label: str) -> dict[str, float]:
        """The present values of a gauge by one of its labels: all at once, where many are wanted."""
        return {
            sample.labels[label]: sample.value
            for family in self._gauges[name].collect()
            for sample in family.samples
        }

    def text(self) -> bytes:
        """The exposition format that Prometheus scrapes."""
        return generate_latest(self.registry)
