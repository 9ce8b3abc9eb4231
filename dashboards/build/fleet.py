"""Fleet: every device of every site at a glance; from here one goes to a device."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

from dashboards.build import parts
from dashboards.build.influx import MEASURED, SITE, matching, named, over, select, total
from dashboards.build.units import grafana_unit

_NO_VITALS = "the gateway writes gateway/… every 30 s; is [vitals] on and an influxdb sink set up?"


def fleet() -> builders.Dashboard:
    """The dashboard."""
    made = (
        parts.dashboard("Fleet", "All devices: heard, silent, behind, with gaps.")
        .with_variable(parts.site_variable())
        .with_panel(parts.stat("Devices heard in 7 days", total("devices"), empty=_NO_VITALS))
        .with_panel(parts.stat("Devices online", total("devices_online"), empty=_NO_VITALS))
        .with_panel(_firing())
        .with_panel(
            parts.stat(
                "Readings missing",
                total("gap_readings_total"),
                steps=parts.ANY_IS_BAD,
                empty=_NO_VITALS,
            )
        )
    )
    made.with_panel(_devices())
    made.with_panel(_silence())
    return made.with_panel(_readings())


def firing_query() -> str:
    """How many alerts fire: the newest number of each (device, rule), added up."""
    newest = select(
        'last("value") AS "newest"', SITE, matching(r"firing\/"), by='"site", "device", "name"'
    )
    return over('sum("newest") AS "firing"', newest)


def _firing() -> parts.PanelBuilder:
    return parts.stat(
        "Alerts firing", firing_query(), steps=parts.ANY_IS_BAD,
        empty="no alert has fired in this time",
    )  # fmt: skip


def _devices() -> parts.PanelBuilder:
    query = select(
        'last("value") AS "value"', SITE, matching("(silent_s|online|buffered|gap_readings|dropped)$"),
        by='"site", "device", "name"',
    )  # fmt: skip
    panel = parts.table(
        "Devices", query, empty="no gateway of this site has reported on its devices"
    )
    panel.with_transformation(
        parts.transformation(
            "groupingToMatrix",
            columnField="name",
            rowField="device",
            valueField="value",
            emptyValue="null",
        )
    )
    renamed = {
        "device\\name": "device",
        "gateway/silent_s": "silent for",
        "gateway/online": "online",
        "gateway/buffered": "buffered",
        "gateway/gap_readings": "missing",
        "gateway/dropped": "dropped",
    }
    panel.with_transformation(parts.transformation("organize", renameByName=renamed))
    panel.override_by_name(*parts.column("device", links=parts.to_device()))
    panel.override_by_name(*parts.column("online", unit="bool_on_off"))
    panel.override_by_name(*_coloured("silent for", grafana_unit("s"), parts.SILENCE))
    panel.override_by_name(*_coloured("missing", "short", parts.ANY_IS_BAD))
    return panel


def _coloured(name: str, unit: str, steps: parts.Steps) -> tuple[str, list[DynamicConfigValue]]:
    return parts.column(
        name,
        unit=unit,
        thresholds=parts.thresholds(steps).build(),
        custom_cellOptions={"type": "color-text"},
    )


def _silence() -> parts.PanelBuilder:
    query = select(
        'last("value")', SITE, named("silent_s"), by='time($__interval), "device"', fill="null"
    )
    return parts.timeline(
        "Silence", query, alias="$tag_device", unit=grafana_unit("s"), steps=parts.SILENCE,
        empty=_NO_VITALS, width=12,
    )  # fmt: skip


def _readings() -> parts.PanelBuilder:
    query = select('count("value")', SITE, MEASURED, by='time($__interval), "device"', fill="0")
    return parts.chart(
        "Readings by device", query, alias="$tag_device", empty="no device has sent anything",
        bars=True, text="By the time of the reading: what arrives late fills the gap it left.",
    )  # fmt: skip
