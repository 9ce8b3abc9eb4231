"""Draws the panels' data for dashboards/README.md: ``python -m tests.dashboards.pictures``.

There may be no Grafana on the machine, so this is not what Grafana draws; it is each panel's title, kind
and place, and the very rows that its query gives on a site with a history (about a minute).
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib import dates, pyplot
from matplotlib.axes import Axes

from headrace.derived import decode_alert
from tests.dashboards.grafana import NAMES, ROOT, Grafana, Series, load
from tests.dashboards.site import OUT, site

COLORS: Final = {"green": "#4c9f70", "yellow": "#d9a400", "orange": "#e07b39", "red": "#c8413b", "blue": "#4a78b5"}  # fmt: skip
ROWS_SHOWN: Final = 9
CHARS_SHOWN: Final = 70

#: Parts of one unit of Grafana's grid, for margins.
PARTS: Final = 4


def main() -> None:
    """Run a site, then draw the four dashboards."""
    mpl.use("Agg")
    mpl.rcParams.update({"font.size": 7, "axes.titlesize": 8, "svg.hashsalt": "headrace"})
    with (
        tempfile.TemporaryDirectory() as folder,
        site(Path(folder), quiet_s=12, silent_s=6) as seen,
    ):
        grafana = Grafana(seen)
        for name in NAMES:
            draw(name, grafana)


def draw(name: str, grafana: Grafana) -> None:
    """One dashboard as one picture."""
    dashboard = load(name)
    chosen = {"device": OUT, "series": "flow"} if name == "device" else {}
    grafana.open(dashboard, **chosen)
    places = [panel["gridPos"] for panel in dashboard["panels"]]
    height = max(place["y"] + place["h"] for place in places)
    figure = pyplot.figure(figsize=(11, height * 0.3), dpi=80)
    grid = figure.add_gridspec(height * PARTS, 24 * PARTS, left=0.01, right=0.99, top=1, bottom=0, hspace=0, wspace=0)  # fmt: skip
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        # A title above, times below, numbers at the left.
        rows = slice(at["y"] * PARTS + 5, (at["y"] + at["h"]) * PARTS - (1 if at["h"] < 8 else 4))
        columns = slice(at["x"] * PARTS + 4, (at["x"] + at["w"]) * PARTS - 1)
        axes = figure.add_subplot(grid[rows, columns])
        title = panel["title"].replace("$series", "flow")
        axes.set_title(title, loc="left", fontweight="bold")
        answer = grafana.ask(panel["targets"][0]["query"])
        KINDS[panel["type"]](axes, panel, answer)
    figure.savefig(ROOT / "pictures" / f"{name}.png", metadata={"Software": None})
    pyplot.close(figure)


def color(panel: dict[str, Any], value: float) -> str:
    """The colour of a value by the panel's thresholds."""
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    reached = [step["color"] for step in steps if step["value"] is None or value >= step["value"]]
    return COLORS[reached[-1]]


def stat(axes: Axes, panel: dict[str, Any], answer: list[Series]) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    if not answer:
        nothing(axes, panel)
        return
    value = answer[0].values[-1]
    axes.set_facecolor(color(panel, value))
    text = f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"
    unit = panel["fieldConfig"]["defaults"]["unit"]
    axes.text(0.5, 0.45, text, ha="center", va="center", fontsize=17, color="white")
    axes.text(0.98, 0.06, "" if unit == "short" else unit, ha="right", fontsize=6, color="white")


def nothing(axes: Axes, panel: dict[str, Any]) -> None:
    said = panel["fieldConfig"]["defaults"]["noValue"]
    axes.text(0.5, 0.5, said, ha="center", va="center", color="grey", wrap=True)


def label(panel: dict[str, Any], series: Series) -> str:
    text = panel["targets"][0].get("alias", "")
    for tag, value in series.tags.items():
        text = text.replace(f"$tag_{tag}", value)
    for change in panel.get("transformations", []):
        if change["id"] == "renameByRegex":
            pattern = re.sub(r"\$(\d)", r"\\\1", change["options"]["renamePattern"])
            text = re.sub(change["options"]["regex"], pattern, text)
    return text


def moments(series: Series) -> list[datetime]:
    return [datetime.fromtimestamp(row[0] / 1000, UTC) for row in series.rows]


def chart(axes: Axes, panel: dict[str, Any], answer: list[Series]) -> None:
    custom = panel["fieldConfig"]["defaults"]["custom"]
    bars = custom.get("drawStyle") == "bars"
    for series in answer:
        values = [float("nan") if value is None else value for value in series.values]
        style = (
            {"drawstyle": "steps-mid", "alpha": 0.8} if bars else {"marker": ".", "markersize": 3}
        )
        axes.plot(moments(series), values, linewidth=1, label=label(panel, series), **style)
    finish(axes, panel, answer)
    if answer:
        axes.legend(fontsize=5.5, loc="upper left", framealpha=0.6)


def timeline(axes: Axes, panel: dict[str, Any], answer: list[Series]) -> None:
    for number, series in enumerate(answer):
        for moment, value in zip(moments(series), series.values, strict=True):
            if value is not None:
                axes.scatter(moment, number, marker="s", s=60, color=color(panel, value))
    axes.set_yticks(range(len(answer)), [label(panel, series) for series in answer])
    axes.tick_params(axis="y", pad=-4, labelsize=6)
    for text in axes.get_yticklabels():
        text.set_horizontalalignment("left")
        text.set_verticalalignment("bottom")
    axes.set_ylim(-0.6, len(answer))
    finish(axes, panel, answer)


def finish(axes: Axes, panel: dict[str, Any], answer: list[Series]) -> None:
    axes.xaxis.set_major_formatter(dates.DateFormatter("%H:%M:%S"))
    axes.xaxis.set_major_locator(dates.AutoDateLocator(maxticks=6))
    axes.grid(alpha=0.25)
    if not answer:
        nothing(axes, panel)


def table(axes: Axes, panel: dict[str, Any], answer: list[Series]) -> None:
    axes.axis("off")
    columns, rows = TABLES.get(panel["title"], plain)(answer)
    if not rows:
        nothing(axes, panel)
        return
    cells = [[str(cell)[:CHARS_SHOWN] for cell in row] for row in rows[:ROWS_SHOWN]]
    drawn = axes.table(cells, colLabels=columns, loc="upper center", cellLoc="left")
    drawn.auto_set_column_width(range(len(columns)))
    drawn.auto_set_font_size(False)
    drawn.set_fontsize(7)


Table = tuple[list[str], list[list[Any]]]


def plain(answer: list[Series]) -> Table:
    """Tags and the newest value."""
    rows = [[*series.tags.values(), f"{series.values[-1]:.5g}"] for series in answer]
    return [*answer[0].tags, answer[0].columns[-1]] if answer else [], rows


def matrix(answer: list[Series]) -> Table:
    """What Grafana's transformation "grouping to matrix" makes of it."""
    names = sorted({series.tags["name"] for series in answer})
    cells = {(one.tags["device"], one.tags["name"]): f"{one.values[-1]:.4g}" for one in answer}
    devices = sorted({device for device, _ in cells})
    rows = [[device, *(cells.get((device, name), "") for name in names)] for device in devices]
    return ["device", *(name.removeprefix("gateway/") for name in names)], rows


def transitions(answer: list[Series]) -> Table:
    """What Grafana's transformation "extract fields" makes of it."""
    rows = []
    for time, device, name, text in answer[0].rows if answer else []:
        alert = decode_alert(text)
        moment = datetime.fromtimestamp(time / 1000, UTC).strftime("%H:%M:%S")
        rows.append([moment, device, name, alert.state, alert.severity, alert.summary])
    return ["time", "device", "rule", "state", "severity", "summary"], rows


TABLES: Final[dict[str, Callable[[list[Series]], Table]]] = {
    "Devices": matrix,
    "Transitions": transitions,
}
KINDS: Final = {"stat": stat, "timeseries": chart, "state-timeline": timeline, "table": table}


if __name__ == "__main__":
    main()
