"""The table of alerts: firing first, then pending, then what is over; the severe first, then the newest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from gateway.console import format as fmt
from gateway.console.parts import block, text
from gateway.console.picture import Picture
from gateway.console.table import Cell, Column, LiveTable, Row
from gateway.live import Live
from headrace.limits.console import CONSOLE_MAX_ALERTS

_COLUMNS: Final = (
    Column(name="state", label="State", kind="badge"),
    Column(name="severity", label="Severity", minor=True),
    Column(name="rule", label="Rule", kind="key"),
    Column(name="device", label="Device"),
    Column(name="series", label="Series", minor=True),
    Column(name="since", label="Since", kind="time", title="when the condition became true"),
    Column(name="ended", label="Ended", kind="time", minor=True),
    Column(name="value", label="Value", kind="number", title="at the last change of state"),
    Column(name="summary", label="Summary"),
)

_STATE_TONES: Final = {"firing": "bad", "pending": "warn", "resolved": "good"}
_SEVERITY_TONES: Final = {"critical": "bad", "warning": "warn"}


class Alerts:
    """Made once a viewer; ``on_choose`` gets (device, series) of the alert that was clicked."""

    def __init__(self, live: Live, on_choose: Callable[[str, str], None]) -> None:
        self._live = live
        self._on_choose = on_choose
        self._targets: dict[str, tuple[str, str]] = {}
        with block("section", "hr-card hr-alerts", label="Alerts"):
            with block("div", "hr-title"):
                text("Alerts", tag="h2")
                self._count = text("", "hr-note")
            self._table = LiveTable(label="Alerts, firing ones first", columns=_COLUMNS)
            self._table.on_key("choose", self._choose)
            self._empty = text(
                "No alert. Rules stand in gateway.toml under [[rules]]; "
                "try them out with: gateway rules test timeline.toml",
                "hr-empty",
                tag="p",
            )

    def show(self, picture: Picture) -> None:
        alerts = picture.alerts[:CONSOLE_MAX_ALERTS]
        units = {device: self._live.series_of(device) for device in {a["device"] for a in alerts}}
        rows = [_row(alert, units[alert["device"]]) for alert in alerts]
        self._targets = {
            row.key: (alert["device"], alert.get("series") or "")
            for row, alert in zip(rows, alerts, strict=True)
        }
        self._table.show(rows)
        self._table.set_visibility(bool(rows))
        self._empty.show(not rows)
        self._count.say(_note(picture), tone="bad" if picture.firing else "")

    def _choose(self, key: str) -> None:
        if key in self._targets:
            self._on_choose(*self._targets[key])


def _note(picture: Picture) -> str:
    if not picture.alerts:
        return ""
    firing = f"{fmt.count(picture.firing)} firing" if picture.firing else "none firing"
    if len(picture.alerts) > CONSOLE_MAX_ALERTS:
        firing += f" · first {CONSOLE_MAX_ALERTS} of {fmt.count(len(picture.alerts))} are shown"
    return firing


def _row(alert: Mapping[str, Any], units: Mapping[str, str]) -> Row:
    state, severity = str(alert["state"]), str(alert.get("severity", ""))
    series = str(alert.get("series") or "")
    started, ended = alert.get("started"), alert.get("ended")
    # Silence has no series; its value is seconds without a batch.
    unit = units.get(series, "") if series else "s"
    cells: list[Cell] = [
        {"text": state, "tone": _STATE_TONES.get(state, "")},
        {"text": severity, "tone": _SEVERITY_TONES.get(severity, "") if state == "firing" else ""},
        str(alert["rule"]),
        str(alert["device"]),
        series or fmt.NOTHING,
        {"time": _milliseconds(started)},
        {"time": _milliseconds(ended)},
        fmt.value(alert.get("value"), unit),
        {"text": str(alert.get("summary", "")), "title": str(alert.get("summary", ""))},
    ]
    return Row(f"{alert['rule']} {alert['device']} {series} {started}", cells)


def _milliseconds(time_us: Any) -> int:
    return int(time_us) // 1_000 if time_us else 0
