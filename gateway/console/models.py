"""The table of models from the repository: what runs, what is tried, what was refused and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from gateway.console import format as fmt
from gateway.console.parts import block, text
from gateway.console.table import Cell, Column, LiveTable, Row

Rows = Callable[[], Sequence[Mapping[str, Any]]]

_COLUMNS: Final = (
    Column(name="model", label="Model"),
    Column(name="version", label="Version", kind="number", title="the one whose scores count"),
    Column(name="state", label="State", kind="badge"),
    Column(name="candidate", label="On its way", title="a version that is being tried"),
    Column(name="since", label="Since", kind="time", minor=True),
    Column(name="odd", label="Odd at", title="devices that do not agree with the version on trial"),
    Column(name="refused", label="Last refused", title="a version that is not tried again"),
)

_TONES: Final = {"good": "good", "probation": "warn", "none": "bad"}


class Models:
    """Made once a viewer."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        with block("section", "hr-card hr-alerts", label="Models"):
            with block("div", "hr-title"):
                text("Models", tag="h2")
            self._table = LiveTable(label="Models of the repository", columns=_COLUMNS)
            self._empty = text("No model was promoted to this site yet.", "hr-empty", tag="p")

    def show(self) -> None:
        rows = [model_row(each) for each in self._rows()]
        self._table.show(rows)
        self._table.set_visibility(bool(rows))
        self._empty.show(not rows)


def model_row(model: Mapping[str, Any]) -> Row:
    """One model's cells."""
    trying = f"{model['candidate']}: {model['phase']}" if model["candidate"] else fmt.NOTHING
    refused = f"{model['last_refused']}: {model['reason']}" if model["last_refused"] else ""
    cells: list[Cell] = [
        str(model["model"]),
        str(model["active"] or fmt.NOTHING),
        {"text": model["state"], "tone": _TONES.get(model["state"], "")},
        trying,
        {"time": int(model["since"]) // 1_000},
        ", ".join(map(str, model["odd"])) or fmt.NOTHING,
        {"text": refused or fmt.NOTHING, "title": refused},
    ]
    return Row(str(model["model"]), cells)
