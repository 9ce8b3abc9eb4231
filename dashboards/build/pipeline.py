"""Pipeline health: is everything that devices send on its way, and how far behind is what?"""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as builders

from dashboards.build import parts
from dashboards.build.influx import SITE, matching, named, over, select
from dashboards.build.units import grafana_unit

_NO_VITALS = "the gateway writes gateway/… every 30 s; is [vitals] on and an influxdb sink set up?"


def pipeline() -> builders.Dashboard:
    """The dashboard."""
    made = (
        parts.dashboard("Pipeline health", "Gateways: flow, lag, journal, gaps, refusals.")
        .with_variable(parts.site_variable())
        .with_panel(_gateway("Broker connected", "broker_connected", "bool_yes_no", ((None, "red"), (1, "green")), "min"))
        .with_panel(_gateway("Readings/s", "readings_per_s", "cps", parts.PLAIN, "sum"))
        .with_panel(_gateway("Bytes/s", "bytes_per_s", grafana_unit("B/s"), parts.PLAIN, "sum"))
        .with_panel(_gateway("Journal", "journal_bytes", "decbytes", ((None, "green"), (6e9, "yellow"), (8e9, "red")), "max"))
    )  # fmt: skip
    made.with_panel(_flow())
    made.with_panel(_commit())
    made.with_panel(_lag("Age of what a consumer has not taken yet", "lag_s", "s", parts.LAG))
    made.with_panel(_lag("Batches a consumer is behind", "lag_batches", "short", None))
    made.with_panel(_gaps())
    made.with_panel(_troubles())
    made.with_panel(_buffered())
    return made.with_panel(_journal())


def _gateway(
    title: str, name: str, unit: str, steps: parts.Steps, over_sites: str
) -> parts.PanelBuilder:
    newest = select('last("value") AS "newest"', SITE, named(name), by='"site"')
    query = over(f'{over_sites}("newest") AS "{name}"', newest)
    return parts.stat(title, query, unit=unit, steps=steps, empty=_NO_VITALS)


def _flow() -> parts.PanelBuilder:
    query = select(
        'mean("value")', SITE, matching("(readings|batches)_per_s$"),
        by='time($__interval), "site", "name"', fill="none",
    )  # fmt: skip
    return parts.chart(
        "Flow", query, alias="$tag_site $tag_name", unit="cps", empty=_NO_VITALS,
        own=True, text="What gateways commit to their journals.",
    )  # fmt: skip


def _commit() -> parts.PanelBuilder:
    query = select(
        'mean("value")', SITE, named("commit_s"), by='time($__interval), "site"', fill="none"
    )
    return parts.chart(
        "Time of a commit", query, alias="$tag_site", unit="s", empty="nothing was committed",
        steps=((None, "green"), (0.1, "yellow"), (1, "red")),
        own=True, text="fsync included; an SD card that slows down shows here first.",
    )  # fmt: skip


def _lag(title: str, name: str, unit: str, steps: parts.Steps | None) -> parts.PanelBuilder:
    query = select(
        'max("value")', SITE, matching(rf"{name}\/"), by='time($__interval), "site", "name"',
        fill="none",
    )  # fmt: skip
    return parts.chart(
        title, query, alias="$tag_site $tag_name", unit=unit, steps=steps, empty=_NO_VITALS,
        own=True, text="By consumer: sinks, rules, and lake for cloud-sync, also where it runs elsewhere.",
    )  # fmt: skip


def _gaps() -> parts.PanelBuilder:
    query = select(
        'last("value")', SITE, named("gap_readings"),
        by='time($__interval), "device"', fill="none",
    )  # fmt: skip
    return parts.chart(
        "Readings missing, by device", query, alias="$tag_device", steps=parts.ANY_IS_BAD,
        empty=_NO_VITALS, own=True, text="Numbered by the device, never arrived. May still come.",
    )  # fmt: skip


def _troubles() -> parts.PanelBuilder:
    kinds = "(refused_batches|duplicate_readings|dropped_batches|skipped_batches|rejected_readings|consumer_failures|commit_failures)"
    query = select(
        'sum("value")', SITE, matching(kinds + "$"), by='time($__interval), "name"', fill="0"
    )
    return parts.chart(
        "Refused, repeated, dropped, failed", query, alias="$tag_name", bars=True, own=True, empty=_NO_VITALS,
        text="Duplicates are harmless: they were recognised. What was refused is in quarantine.",
    )  # fmt: skip


def _buffered() -> parts.PanelBuilder:
    query = select(
        'max("value")', SITE, named("buffered"), by='time($__interval), "device"', fill="none"
    )
    return parts.chart(
        "Buffered on devices", query, alias="$tag_device", empty="no device tells what it buffers",
        own=True, text="Readings not acknowledged yet, as the device said last.",
    )  # fmt: skip


def _journal() -> parts.PanelBuilder:
    query = select(
        'max("value")', SITE, named("journal_bytes"), by='time($__interval), "site"', fill="none"
    )
    return parts.chart(
        "Journal", query, alias="$tag_site", unit="decbytes", empty=_NO_VITALS,
        own=True, text="Grows while a required consumer is away; at its budget acknowledgements stop.",
    )  # fmt: skip
