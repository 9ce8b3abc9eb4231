"""The table of devices: filter, state filter, sorting and pages, all worked out at the gateway.

A site may have ten thousand devices; a viewer's browser holds one page of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from nicegui import ui
from nicegui.events import ValueChangeEventArguments

from gateway.console import format as fmt
from gateway.console.parts import Text, block, button, text
from gateway.console.picture import CONDITIONS, DeviceCondition, DeviceRow, Picture
from gateway.console.selection import Selection
from gateway.console.table import Cell, Column, LiveTable, Row
from headrace.limits.console import CONSOLE_PAGE_ROWS

_COLUMNS: Final = (
    Column(name="chart", label="", kind="check", title="on the chart"),
    Column(name="device", label="Device", kind="key", sortable=True),
    Column(name="state", label="State", kind="badge", sortable=True),
    Column(name="seen", label="Last seen", kind="number", sortable=True, title="last batch arrived"),
    Column(name="lag", label="Lag", kind="number", sortable=True, title="age of its newest reading"),
    Column(name="buffered", label="Buffered", kind="number", sortable=True, title="readings that wait at the device"),
    Column(name="sampled", label="Sampled", kind="number", sortable=True, minor=True, title="readings taken since its buffer was made"),
    Column(name="readings", label="Seen here", kind="number", sortable=True, minor=True, title="readings that this gateway looked at since it started"),
    Column(name="dropped", label="Dropped", kind="number", sortable=True, minor=True, title="readings lost at the device, by reason"),
    Column(name="missing", label="Missing", kind="number", sortable=True, minor=True, title="readings that it has numbered and that have not arrived: gateway gaps"),
    Column(name="certificate", label="Certificate", kind="number", sortable=True, minor=True, title="until it ends; agents renew theirs in the last third"),
)  # fmt: skip

_SORT_KEYS: Final[dict[str, Callable[[DeviceRow], Any]]] = {
    "device": lambda row: row.device,
    "state": lambda row: (-row.firing, -CONDITIONS.index(row.condition)),
    "seen": lambda row: -row.last_received,
    "lag": lambda row: -row.last_time,
    "buffered": lambda row: row.buffered or 0,
    "sampled": lambda row: row.sampled or 0,
    "readings": lambda row: row.readings,
    "dropped": lambda row: sum(row.dropped.values()),
    "missing": lambda row: row.missing,
    "certificate": lambda row: row.certificate or _NEVER,
}

#: Behind all that end.
_NEVER: Final = 2**63

_TONES: Final = {"online": "good", "silent": "warn", "offline": "bad", "unknown": "quiet"}
_EXPLAINED: Final = {
    "online": "says that it is online",
    "silent": "should be heard and is not",
    "offline": "has left, or its connection broke",
    "unknown": "sends readings and publishes no state",
}

#: As many as console.css has --series-N.
COLORS: Final = tuple(f"var(--series-{slot})" for slot in range(6))


class Devices:
    """Made once a viewer; the callbacks change the selection."""

    def __init__(
        self,
        selection: Selection,
        *,
        on_choose: Callable[[str], None],
        on_toggle: Callable[[str], None],
    ) -> None:
        self._selection = selection
        self._picture: Picture | None = None
        self._filter = ""
        self._condition: DeviceCondition | None = None
        self._sort, self._descending = "device", False
        self._page = 0
        self._chips: dict[DeviceCondition | None, Text] = {}
        with block("section", "hr-card hr-devices", label="Devices"):
            self._build_title()
            self._table = LiveTable(label="Devices", columns=_COLUMNS)
            self._table.on_key("choose", on_choose)
            self._table.on_key("toggle", on_toggle)
            self._table.on_key("sort", self._sort_by)
            self._build_empty()

    def _build_title(self) -> None:
        with block("div", "hr-title"):
            text("Devices", tag="h2")
            with block("div", "hr-chips", label="Filter by state"):
                for wanted in (None, *CONDITIONS):
                    self._chips[wanted] = button("", "hr-chip", partial(self._only, wanted))
            with block("nav", "hr-pager", label="Pages of devices") as self._pager:
                self._range = text("", "hr-note")
                button("‹", "hr-chip", partial(self._turn, -1), label="Previous page")
                button("›", "hr-chip", partial(self._turn, 1), label="Next page")
            self._search = (
                ui.input(placeholder="Filter", on_change=self._search_for)
                .props(
                    "dense borderless clearable debounce=200 aria-label='Filter devices by name'"
                )
                .classes("hr-search")
            )

    def _build_empty(self) -> None:
        with block("div", "hr-empty") as self._nobody:
            text("No device yet. Start an agent here or on another machine:", tag="p")
            text(
                "edge-agent sample-config > agent.toml\nedge-agent run --config agent.toml",
                tag="pre",
            )
            text("or publish a SenML pack to headrace/v1/<device>/data/senml-json.", tag="p")
        self._no_match = text("No device matches the filter.", "hr-empty", tag="p")

    def show(self, picture: Picture) -> None:
        """Bring the table up to date."""
        self._picture = picture
        matching = self._matching(picture)
        self._page = max(0, min(self._page, (len(matching) - 1) // CONSOLE_PAGE_ROWS))
        first = self._page * CONSOLE_PAGE_ROWS
        shown = matching[first : first + CONSOLE_PAGE_ROWS]
        self._table.show([self._row(picture.now_us, row) for row in shown])
        self._table.set_visibility(bool(shown))
        self._nobody.set_visibility(not picture.devices)
        self._no_match.show(bool(picture.devices) and not matching)
        self._pager.set_visibility(len(matching) > CONSOLE_PAGE_ROWS)
        self._search.set_visibility(len(picture.devices) > 1)
        self._range.say(f"{first + 1:,}–{first + len(shown):,} of {len(matching):,}")
        self._show_chips(picture)

    def _matching(self, picture: Picture) -> Sequence[DeviceRow]:
        rows = picture.devices
        if self._condition is not None:
            rows = [row for row in rows if row.condition == self._condition]
        if self._filter:
            rows = [row for row in rows if self._filter in row.device.lower()]
        if self._sort == "device":  # the picture's own order
            return rows[::-1] if self._descending else rows
        return sorted(rows, key=_SORT_KEYS[self._sort], reverse=self._descending)

    def _show_chips(self, picture: Picture) -> None:
        for wanted, chip in self._chips.items():
            number = len(picture.devices) if wanted is None else picture.counts.get(wanted, 0)
            chip.say(f"{wanted or 'all'} {fmt.count(number)}")
            chip.press(wanted == self._condition)
            chip.show(bool(number) or wanted == self._condition)

    def _row(self, now_us: int, row: DeviceRow) -> Row:
        slot = self._selection.slot(row.device)
        dropped = sum(row.dropped.values())
        reasons = ", ".join(f"{reason}: {fmt.count(n)}" for reason, n in row.dropped.items())
        state: Cell = {
            "text": row.condition,
            "tone": _TONES[row.condition],
            "title": _EXPLAINED[row.condition],
        }
        mark: Cell = {
            "checked": slot is not None,
            "color": COLORS[slot] if slot is not None else "",
            "title": f"{row.device} on the chart",
        }
        cells: list[Cell] = [
            mark,
            {"text": row.device, "title": f"{row.firing} alerts are firing" if row.firing else ""},
            state,
            fmt.ago(now_us, row.last_received),
            fmt.lag(now_us, row.last_time),
            {"text": fmt.count(row.buffered), "tone": "" if row.buffered else "quiet"},
            fmt.count(row.sampled),
            fmt.count(row.readings),
            {"text": fmt.count(dropped), "tone": "bad" if dropped else "quiet", "title": reasons},
            {"text": fmt.count(row.missing), "tone": "bad" if row.missing else "quiet"},
            {
                "text": fmt.left(now_us, row.certificate),
                "tone": fmt.left_tone(now_us, row.certificate),
                "title": row.renewal,
            },
        ]
        return Row(row.device, cells, chosen=slot is not None)

    def _only(self, wanted: DeviceCondition | None) -> None:
        self._condition = None if wanted == self._condition else wanted
        self._page = 0
        self._again()

    def _search_for(self, change: ValueChangeEventArguments[Any]) -> None:
        self._filter = str(change.value or "").strip().lower()
        self._page = 0
        self._again()

    def _sort_by(self, column: str) -> None:
        if column not in _SORT_KEYS:
            return
        self._descending = not self._descending if column == self._sort else False
        self._sort = column
        self._page = 0
        self._table.show_sorting(column, descending=self._descending)
        self._again()

    def _turn(self, by: int) -> None:
        self._page += by
        self._again()

    def _again(self) -> None:
        if self._picture is not None:
            self.show(self._picture)
