"""The live chart: one panel a series, one line a device, the last five minutes.

Series of different units do not share an axis, so each has a panel of its own and all have the same
time axis. At a refresh the browser (``chart.js``) is sent the points that it has not seen, the end of
the window, and the newest value of each line as text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import nicegui.elements.echart  # noqa: F401  (registers ECharts as the module that chart.js imports)
from nicegui import ui
from nicegui.element import Element
from nicegui.events import ValueChangeEventArguments

from gateway.console import format as fmt
from gateway.console.devices import COLORS
from gateway.console.parts import block, text
from gateway.console.selection import Selection
from gateway.live import Live
from headrace.limits.console import CONSOLE_MAX_DEVICES, CONSOLE_MAX_PANELS, CONSOLE_WINDOW_S

_WINDOW_US: Final = CONSOLE_WINDOW_S * 1_000_000

#: A chart of a gateway that has just been started is not squeezed into a corner, nor blown up.
_SHORTEST_US: Final = 60_000_000


@dataclass(slots=True)
class Line:
    """One device's line in one panel, and what the browser has of it."""

    device: str
    series: str
    unit: str
    first_us: int = 0
    sent_us: int = 0
    latest: str = fmt.NOTHING
    fresh: list[tuple[float, float]] = field(default_factory=list)


class Panels(Element, component="chart.js"):
    """The element; it draws with the ECharts that NiceGUI brings and serves."""

    def push(self, update: Mapping[str, Any]) -> None:
        self.run_method("apply", update)


class Chart:
    """Made once a viewer; ``show`` is called at every refresh."""

    def __init__(
        self, live: Live, selection: Selection, on_series: Callable[[list[str]], None]
    ) -> None:
        self._live = live
        self._selection = selection
        self._on_series = on_series
        self._layout: tuple[Any, ...] = ()
        self._lines: list[Line] = []
        self._options: dict[str, str] = {}
        with block("section", "hr-card hr-chart", label="Chart"):
            with block("div", "hr-title"):
                text("Last 5 minutes", tag="h2")
                self._note = text("", "hr-note")
                self._select = (
                    ui.select({}, multiple=True, on_change=self._select_changed)
                    .props(
                        "dense outlined options-dense use-chips "
                        f"max-values={CONSOLE_MAX_PANELS} aria-label='Series on the chart'"
                    )
                    .classes("hr-series")
                )
            self._panels = Panels().classes("hr-panels")
            self._empty = text(
                "Choose a device in the table; the box in front of its name adds it to the others.",
                "hr-empty",
                tag="p",
            )

    def offered(self) -> dict[str, str]:
        """Series of the chosen devices, with their units."""
        units: dict[str, str] = {}
        for device in self._selection.devices:
            for name, unit in self._live.numeric_series_of(device).items():
                units[name] = units.get(name) or unit
        return units

    def show(self, now_us: int) -> None:
        """Bring the chart up to date."""
        units = self.offered()
        self._show_options(units)
        layout = (tuple(self._selection.devices), tuple((s, units.get(s, "")) for s in self._selection.series))  # fmt: skip
        update: dict[str, Any] = {}
        if layout != self._layout:
            self._layout = layout
            self._lines = self._make_lines(units)
            update["panels"] = self._describe()
        for line in self._lines:
            self._collect(line)
        newest = max((line.sent_us for line in self._lines), default=0)
        end = window_end(now_us, newest)
        start = window_start(end, [line.first_us for line in self._lines if line.first_us])
        update |= {"start": start / 1e3, "end": end / 1e3}
        update["lines"] = [[line.fresh, line.latest] for line in self._lines]
        self._panels.push(update)
        self._say(end, now_us)

    def _say(self, end: int, now_us: int) -> None:
        behind = end != now_us
        self._note.say("up to its newest reading: the device's clock is not ours" if behind else "")
        self._panels.set_visibility(bool(self._lines))
        self._empty.show(not self._lines)

    def _make_lines(self, units: Mapping[str, str]) -> list[Line]:
        return [
            Line(device, series, units.get(series, ""))
            for series in self._selection.series
            for device in self._selection.devices
        ]

    def _describe(self) -> list[dict[str, Any]]:
        lines = [
            {"device": device, "color": COLORS[self._selection.slot(device) or 0]}
            for device in self._selection.devices[:CONSOLE_MAX_DEVICES]
        ]
        units = {line.series: line.unit for line in self._lines}
        return [
            {"name": series, "unit": fmt.unit_label(units.get(series, "")), "lines": lines}
            for series in self._selection.series
        ]

    def _collect(self, line: Line) -> None:
        points = sorted(self._live.points(line.device, line.series, since_us=line.sent_us))
        # Six digits draw the same line as seventeen, in half the bytes.
        line.fresh = [(time / 1e3, float(f"{value:.6g}")) for time, value in points]
        if points:
            line.first_us = line.first_us or points[0][0]
            line.sent_us = points[-1][0]
            line.latest = fmt.value(points[-1][1], line.unit)

    def _show_options(self, units: Mapping[str, str]) -> None:
        options = {name: _option(name, unit) for name, unit in units.items()}
        chosen = [name for name in self._selection.series if name in options]
        if options != self._options:
            self._options = options
            self._select.set_options(options, value=chosen)
        elif self._select.value != chosen:
            self._select.value = chosen

    def _select_changed(self, change: ValueChangeEventArguments[Any]) -> None:
        chosen: Sequence[str] = change.value or []
        if list(chosen) != self._selection.series:
            self._on_series(list(chosen))


def window_end(now_us: int, newest_us: int) -> int:
    """Where the time axis ends: now, or the newest reading where no reading lies near now.

    Recorded data is replayed with its own times, and clocks of devices are wrong by years: an axis
    that insists on now would be empty.
    """
    return newest_us if newest_us and abs(now_us - newest_us) > _WINDOW_US else now_us


def window_start(end_us: int, first_us: Sequence[int]) -> int:
    """Where the time axis starts: five minutes back, later where there is less to show."""
    oldest = min(first_us, default=end_us)
    return max(end_us - _WINDOW_US, min(oldest, end_us - _SHORTEST_US))


def _option(name: str, unit: str) -> str:
    label = fmt.unit_label(unit)
    return f"{name} ({label})" if label else name
