"""Device: what one device measures, and how it is doing itself."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as builders

from dashboards.build import parts
from dashboards.build.influx import DEVICE, MEASURED, SERIES, SITE, named, select
from dashboards.build.units import grafana_unit, overrides

_NO_VITALS = "no gateway has reported on this device; is [vitals] on?"
_NO_READINGS = "no readings of this device and series in this time"


def device() -> builders.Dashboard:
    """The dashboard."""
    made = (
        parts.dashboard("Device", "The series of one device or several, with alerts as notes.")
        .with_variable(parts.site_variable())
        .with_variable(parts.device_variable(all_at_first=False))
        .with_variable(parts.series_variable())
    )
    for title, name, unit, steps in (
        ("Silent for", "silent_s", grafana_unit("s"), parts.SILENCE),
        ("Online", "online", "bool_on_off", ((None, "red"), (1, "green"))),
        ("Buffered on the device", "buffered", "short", ((None, "green"), (100_000, "yellow"))),
        ("Readings missing", "gap_readings", "short", parts.ANY_IS_BAD),
    ):
        query = select('last("value")', SITE, DEVICE, named(name), by='"device"')
        made.with_panel(parts.stat(title, query, unit=unit, steps=steps, empty=_NO_VITALS))
    made.with_panel(_series())
    made.with_panel(_readings())
    made.with_panel(_scores())
    return made.with_panel(_newest())


def _series() -> parts.PanelBuilder:
    query = select(
        'mean("value")', SITE, DEVICE, SERIES, by='time($__interval), "device", "name"', fill="null"
    )
    panel = parts.chart(
        "$series", query, alias="$tag_device $tag_name", empty=_NO_READINGS, width=parts.WIDTH,
        text="A gap is a minute or more in which the device measured nothing.",
    )  # fmt: skip
    for pattern, settings in overrides():
        panel.override_by_regexp(pattern, settings)
    return panel.repeat("series").repeat_direction("h").max_per_row(3)


def _readings() -> parts.PanelBuilder:
    query = select(
        'count("value")', SITE, DEVICE, MEASURED, by='time($__interval), "device"', fill="0"
    )
    return parts.chart(
        "Readings", query, alias="$tag_device", empty=_NO_READINGS, bars=True,
        text="By the time of the reading: an outage of the device is a hole, one of the link is not.",
    )  # fmt: skip


def _scores() -> parts.PanelBuilder:
    query = select(
        'max("value")', SITE, DEVICE, r'"name" =~ /^model\//',
        by='time($__interval), "device", "name"', fill="null",
    )  # fmt: skip
    return parts.chart(
        "Model scores", query, alias="$tag_device $tag_name",
        empty="no model scores this device", text="Higher is less like what the model has learnt.",
    )  # fmt: skip


def _newest() -> parts.PanelBuilder:
    query = select('last("value") AS "value"', SITE, DEVICE, SERIES, by='"site", "device", "name"')
    return parts.table("Newest values", query, empty=_NO_READINGS)
