"""Alerts: what fires now, what has fired, and the scores behind it."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as builders

from dashboards.build import parts
from dashboards.build.influx import DEVICE, SITE, matching, over, select

_NOTHING = "no alert in this time"

#: (severity, colour of its number).
_SEVERITIES = (("critical", "red"), ("warning", "orange"), ("info", "blue"))


def alerts() -> builders.Dashboard:
    """The dashboard."""
    made = (
        parts.dashboard("Alerts", "Alerts of the gateways' rules.", since="now-24h")
        .with_variable(parts.site_variable())
        .with_variable(parts.device_variable())
    )
    for severity, color in _SEVERITIES:
        made.with_panel(
            parts.stat(
                f"Firing: {severity}", _firing(severity), steps=((None, "green"), (1, color)),
                empty=_NOTHING, width=8,
            )
        )  # fmt: skip
    made.with_panel(_now())
    made.with_panel(_timeline())
    made.with_panel(_scores())
    return made.with_panel(_transitions())


def _newest(pattern: str) -> str:
    return select(
        'last("value") AS "newest"', SITE, DEVICE, matching(pattern), by='"site", "device", "name"'
    )


def _firing(severity: str) -> str:
    return over(f'sum("newest") AS "{severity}"', _newest(rf"firing\/{severity}\/"))


def _now() -> parts.PanelBuilder:
    query = over('"newest" AS "series"', _newest(r"firing\/"))
    query += ' WHERE "newest" > 0 GROUP BY "site", "device", "name"'
    panel = parts.table("Firing now", query, empty="nothing is firing", width=12)
    panel.override_by_name(*parts.column("device", links=parts.to_device()))
    return panel


def _timeline() -> parts.PanelBuilder:
    query = select(
        'max("value")', SITE, DEVICE, matching(r"firing\/"),
        by='time($__interval), "device", "name"', fill="null",
    )  # fmt: skip
    return parts.timeline(
        "Firing", query, alias="$tag_device $tag_name", steps=parts.ANY_IS_BAD, empty=_NOTHING,
        width=12,
    )  # fmt: skip


def _scores() -> parts.PanelBuilder:
    query = select(
        'max("value")', SITE, DEVICE, r'"name" =~ /^model\//',
        by='time($__interval), "device", "name"', fill="null",
    )  # fmt: skip
    return parts.chart(
        "Model scores", query, alias="$tag_device $tag_name", width=parts.WIDTH,
        empty="no model scores these devices",
    )  # fmt: skip


def _transitions() -> parts.PanelBuilder:
    query = (
        select('"device", "name", "text"', SITE, DEVICE, r'"name" =~ /^alert\//')
        + " ORDER BY time DESC LIMIT 200"
    )
    panel = parts.table("Transitions", query, empty=_NOTHING)
    panel.with_transformation(
        parts.transformation("extractFields", source="text", format="json", replace=False)
    )
    hidden = {"text": True, "started": True, "ended": True}
    return panel.with_transformation(
        parts.transformation("organize", excludeByName=hidden, renameByName={"name": "rule"})
    )
