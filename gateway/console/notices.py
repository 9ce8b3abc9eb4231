"""Series that changed their type or unit; not there as long as there are none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gateway.console import format as fmt
from gateway.console.parts import block, text
from gateway.console.table import Cell, Column, LiveTable, Row
from gateway.live import Live
from headrace.limits.console import CONSOLE_MAX_ALERTS

_COLUMNS: Final = (
    Column(name="time", label="Noticed", kind="time"),
    Column(name="device", label="Device"),
    Column(name="series", label="Series"),
    Column(
        name="what",
        label="What",
        title="its type (number, text), its unit, or the precision of its integers",
    ),
    Column(name="old", label="Was"),
    Column(name="new", label="Now too"),
)


class Notices:
    """Made once a viewer."""

    def __init__(self, live: Live) -> None:
        self._live = live
        with block("section", "hr-card hr-alerts", label="Notices") as self._card:
            with block("div", "hr-title"):
                text("Notices", tag="h2")
                self._count = text("", "hr-note")
            self._table = LiveTable(label="Series that changed", columns=_COLUMNS)

    def show(self) -> None:
        notices = self._live.notices()
        self._card.set_visibility(bool(notices))
        self._table.show([_row(notice) for notice in notices[:CONSOLE_MAX_ALERTS]])
        self._count.say(fmt.count(len(notices)))


def _row(notice: Mapping[str, Any]) -> Row:
    cells: list[Cell] = [
        {"time": int(notice["time"]) // 1_000},
        *(str(notice[part]) for part in ("device", "series", "what", "old", "new")),
    ]
    return Row(" ".join(str(notice[part]) for part in ("device", "series", "what", "new")), cells)
