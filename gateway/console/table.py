"""A table that is sent its changes only.

The browser's half is ``table.js``. Rows have a key; a refresh compares them with what this viewer
was sent and pushes those that differ, and the order where it changed. Cells are text for the Vue
template, which escapes them: names and summaries come from devices.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from nicegui.element import Element
from nicegui.events import GenericEventArguments

#: ``key`` cells are buttons that choose the row, ``check`` cells put it on the chart or take it off,
#: ``time`` cells hold milliseconds and are shown in the viewer's own time zone.
Kind = Literal["text", "number", "badge", "key", "check", "time"]

#: Text, or text with a tone, a title, a time, a tick.
Cell = str | Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """``minor`` columns are left out on a phone."""

    name: str
    label: str
    kind: Kind = "text"
    sortable: bool = False
    minor: bool = False
    title: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: a stable key, a cell for each column, and whether it is the chosen one."""

    key: str
    cells: Sequence[Cell]
    chosen: bool = False


def changes(before: Sequence[Row], after: Sequence[Row]) -> dict[str, Any] | None:
    """What a browser that shows ``before`` has to be told to show ``after``; None for nothing."""
    known = {row.key: row for row in before}
    changed = {
        row.key: {"cells": row.cells, "chosen": row.chosen}
        for row in after
        if known.get(row.key) != row
    }
    order = [row.key for row in after]
    if order != [row.key for row in before]:
        return {"order": order, "rows": changed}
    return {"rows": changed} if changed else None


class LiveTable(Element, component="table.js"):
    """The element; ``show`` is called at every refresh."""

    def __init__(self, *, label: str, columns: Sequence[Column]) -> None:
        super().__init__()
        self._props["label"] = label
        self._props["columns"] = [asdict(column) for column in columns]
        self._shown: Sequence[Row] = ()

    def show(self, rows: Sequence[Row]) -> None:
        """Bring the browser up to date."""
        update = changes(self._shown, rows)
        if update is not None:
            self.run_method("apply", update)
            self._shown = rows

    def show_sorting(self, column: str, *, descending: bool) -> None:
        """Mark the column that the rows are sorted by."""
        self.run_method("sorting", column, descending)

    def on_key(self, event: str, handler: Callable[[str], None]) -> None:
        """Call ``handler`` with the row's key or the column's name: ``choose``, ``toggle``, ``sort``."""

        def handle(arguments: GenericEventArguments) -> None:
            handler(str(arguments.args))

        self.on(event, handle)
