"""What the four dashboards have in common: variables, links, notes on alerts, and kinds of panels.

Panels say what they lack ("no data: …") instead of staying empty, since an empty panel looks like
one that is well.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import stat as stats
from grafana_foundation_sdk.builders import statetimeline as timelines
from grafana_foundation_sdk.builders import table as tables
from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.cog import builder
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as models

from dashboards.build.influx import DEVICE, SITE, SOURCE, Query, matching, select

TAG: Final = "headrace"

#: Uids by name: links and alert rules point at them.
UIDS: Final = {
    "Fleet": "headrace-fleet",
    "Device": "headrace-device",
    "Pipeline health": "headrace-pipeline",
    "Alerts": "headrace-alerts",
}

WIDTH: Final = 24

#: Milliseconds without a reading that a line runs across.
GAP_MS: Final = 60_000

#: Any kind of panel before it is built.
PanelBuilder = builder.Builder[models.Panel]

#: (value from which, colour); the first has no lower end.
Steps = Sequence[tuple[float | None, str]]

PLAIN: Final[Steps] = ((None, "blue"),)
ANY_IS_BAD: Final[Steps] = ((None, "green"), (1, "red"))
SILENCE: Final[Steps] = ((None, "green"), (60, "yellow"), (300, "red"))
LAG: Final[Steps] = ((None, "green"), (60, "yellow"), (300, "red"))


def dashboard(name: str, description: str, *, since: str = "now-1h") -> builders.Dashboard:
    """An empty dashboard with what all of them have."""
    made = (
        builders.Dashboard(f"Headrace / {name}")
        .uid(UIDS[name])
        .description(description)
        .tags([TAG])
        .editable()
        .refresh("30s")
        .time(since, "now")
        .timezone("browser")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .annotation(Notes())
    )
    return made.link(
        builders.DashboardLink("Headrace")
        .type(models.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .include_vars(True)
        .keep_time(True)
    )


class Notes(builders.AnnotationQuery):
    """Alerts as notes on every chart: what fired and what was resolved."""

    def build(self) -> models.AnnotationQuery:
        """The query, with the columns that Grafana's InfluxDB data source wants to be told."""
        target: Any = {
            "refId": "Anno",
            "queryType": "tags",
            "rawQuery": True,
            "fromAnnotations": True,
            "textEditor": True,
            "query": select('"text", "device"', SITE, matching(r"said\/")),
            "textColumn": "text",
            "tagsColumn": "device",
        }
        return models.AnnotationQuery(
            name="Alerts", datasource=SOURCE, enable=True, icon_color="red", target=target
        )


def variable(name: str, label: str, tag: str, *where: str) -> builders.QueryVariable:
    """A choice among the values of a tag; everything is chosen until somebody chooses."""
    clause = f" WHERE {' AND '.join(where)}" if where else ""
    statement = f'SHOW TAG VALUES FROM "readings" WITH KEY = "{tag}"{clause}'
    return (
        builders.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query(statement)
        .multi(True)
        .include_all(True)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.NATURAL_ASC)
        .current(models.VariableOption(text="All", value="$__all"))
    )


def site_variable() -> builders.QueryVariable:
    """Which sites."""
    return variable("site", "Site", "site").all_value(".*")


def device_variable(*, all_at_first: bool = True) -> builders.QueryVariable:
    """Which devices; a gateway's own readings, and alerts about it, are no device's.

    Without ``all_at_first`` the first device is shown, and others where they are chosen.
    """
    own = r'"name" !~ /^(gateway|alert)\//'
    made = variable("device", "Device", "device", SITE, own)
    return made if all_at_first else made.include_all(False).current(models.VariableOption())


def series_variable() -> builders.QueryVariable:
    """Which series of the chosen devices: what they send, and scores."""
    own = r'"name" !~ /^(gateway|alert)\//'
    return variable("series", "Series", "name", SITE, DEVICE, own)


def thresholds(steps: Steps) -> builders.ThresholdsConfig:
    """Colours by value."""
    return (
        builders.ThresholdsConfig()
        .mode(models.ThresholdsMode.ABSOLUTE)
        .steps([models.Threshold(value=value, color=color) for value, color in steps])
    )


def stat(
    title: str, query: str, *, unit: str = "short", steps: Steps = PLAIN, empty: str, width: int = 6
) -> stats.Panel:
    """One number, with the colour of its threshold."""
    return (
        stats.Panel()
        .title(title)
        .datasource(SOURCE)
        .with_target(Query(query))
        .unit(unit)
        .thresholds(thresholds(steps))
        .no_value(f"no data: {empty}")
        .color_mode(common.BigValueColorMode.BACKGROUND)
        .graph_mode(common.BigValueGraphMode.NONE)
        .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
        .height(4)
        .span(width)
    )


def chart(
    title: str,
    query: str,
    *,
    alias: str,
    unit: str = "short",
    steps: Steps | None = None,
    empty: str,
    width: int = 12,
    bars: bool = False,
    own: bool = False,
    text: str = "",
) -> timeseries.Panel:
    """Lines over time; a missing stretch stays missing, since that is what one looks for.

    ``own`` readings of a gateway come every 30 s: where two are further apart, one is missing.
    Others come at any rate: what has nothing for a minute is shown as a gap.
    """
    panel = (
        timeseries.Panel()
        .title(title)
        .description(text)
        .datasource(SOURCE)
        .with_target(Query(query, alias=alias))
        .unit(unit)
        .no_value(f"no data: {empty}")
        .span_nulls(False if own or bars else GAP_MS)
        .show_points(common.VisibilityMode.AUTO)
        .height(8)
        .span(width)
        .legend(
            common_builders.VizLegendOptions()
            .show_legend(True)
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
        )
    )
    if own:
        panel.insert_nulls(2.5 * 30_000).with_transformation(SHORT_NAMES)
    if bars:
        panel.draw_style(common.GraphDrawStyle.BARS).fill_opacity(60).min(0)
    if steps is not None:
        panel.thresholds(thresholds(steps))
        panel.thresholds_style(
            common_builders.GraphThresholdsStyleConfig().mode(
                common.GraphThresholdsStyleMode.DASHED
            )
        )
    return panel


def timeline(
    title: str, query: str, *, alias: str, unit: str = "short", steps: Steps, empty: str, width: int
) -> timelines.Panel:
    """A coloured strip a line, by threshold.

    Its readings come every 30 s while there is something to say. So in steps of a minute an empty one
    means that it is over, and nothing has to be carried on (``fill(previous)`` would carry on an
    alert that began and ended within one step).
    """
    return (
        timelines.Panel()
        .title(title)
        .datasource(SOURCE)
        .with_target(Query(query, alias=alias))
        .unit(unit)
        .thresholds(thresholds(steps))
        .color_scheme(builders.FieldColor().mode(models.FieldColorModeId.THRESHOLDS))
        .no_value(f"no data: {empty}")
        .show_value(common.VisibilityMode.NEVER)
        .interval("1m")
        .with_transformation(SHORT_NAMES)
        .height(8)
        .span(width)
    )


def table(title: str, query: str, *, empty: str, width: int = WIDTH) -> tables.Panel:
    """Rows as they come; transformations make columns of them."""
    return (
        tables.Panel()
        .title(title)
        .datasource(SOURCE)
        .with_target(Query(query, result="table"))
        .no_value(f"no data: {empty}")
        .height(8)
        .span(width)
    )


def transformation(kind: str, **options: object) -> models.DataTransformerConfig:
    """One of Grafana's transformations by its id."""
    return models.DataTransformerConfig(id_val=kind, options=options)


#: "site-1 gateway/lag_s/lake" is shown as "site-1 lake": the panel's title says the rest.
SHORT_NAMES: Final = transformation(
    "renameByRegex",
    regex=r"(.*)gateway\/(?:firing\/|lag_s\/|lag_batches\/)?(.*)",
    renamePattern="$1$2",
)


def column(name: str, **settings: object) -> tuple[str, list[models.DynamicConfigValue]]:
    """An override for the column of that name; keys are Grafana's, with ``_`` for a dot."""
    return name, [
        models.DynamicConfigValue(key.replace("_", "."), value) for key, value in settings.items()
    ]


def to_device(title: str = "Open the device") -> list[dict[str, object]]:
    """A link from a cell that names a device to the dashboard of it."""
    url = f"/d/{UIDS['Device']}?var-device=${{__value.raw}}&${{__url_time_range}}"
    return [{"title": title, "url": url}]
