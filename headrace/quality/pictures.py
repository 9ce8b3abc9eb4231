"""Bars and heat maps as SVG that stands in a page by itself: no script, no font, no file beside it.

Colour is never the only word: each cell says its numbers when it is pointed at, and the same are in the
findings as text. Colours are variables of the page's style sheet, so that it has a dark side too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from html import escape
from typing import Any, Final

from headrace.quality.summary import DayTotals

#: Completeness from which on a cell has the class; the first that fits.
GRADES: Final = (
    (0.999, "all", "99.9 % or more"), (0.95, "most", "95 %"), (0.8, "some", "80 %"),
    (0.000001, "few", "less"), (0.0, "none", "no reading"),
)  # fmt: skip
IRREGULAR: Final = ("free", "irregular: nobody knows how many")
NOTHING: Final = ("blank", "not expected")

Series = tuple[str, str, str]

#: Rows of quality by series and day.
Cells = Mapping[Any, Mapping[str, Any]]

_LABEL: Final = 300
_ROW: Final = 18
_WIDTH: Final = 1_060


def day_bars(days: Sequence[DayTotals]) -> str:
    """Readings of each day, in the colour of the day's completeness."""
    height, wide = 140, _WIDTH / max(1, len(days))
    most = max((day.readings for day in days), default=0) or 1
    bars = []
    for at, day in enumerate(days):
        tall = max(height * day.readings / most, 2.0)
        said = f"{day.day}: {day.readings:,} readings, {_percent(day.completeness)} complete"
        bars.append(_cell(at * wide, height - tall, max(wide - 2, 1), tall, grade(day), said))
    labels = _day_labels([day.day for day in days], wide, height + 16)
    return _svg(_WIDTH, height + 24, [*bars, *labels], "Readings of each day")


def day_map(series: Sequence[Series], days: Sequence[date], cells: Cells) -> str:
    """A row a series, a column a day."""
    wide = min((_WIDTH - _LABEL) / max(1, len(days)), 60.0)
    drawn = []
    for row, key in enumerate(series):
        drawn.append(_label(key, row))
        for column, day in enumerate(days):
            found = cells.get((key, day))
            said = f"{' '.join(key)}, {day}: {_says(found)}"
            kind = NOTHING[0] if found is None else _grade(found["completeness"])
            drawn.append(
                _cell(_LABEL + column * wide, row * _ROW, max(wide - 1, 1), _ROW - 2, kind, said)
            )
    labels = _day_labels(days, wide, len(series) * _ROW + 14, left=_LABEL)
    return _svg(
        _WIDTH, len(series) * _ROW + 22, [*drawn, *labels], "Completeness by series and day"
    )


def hour_map(series: Sequence[Series], day: date, cells: Cells) -> str:
    """The hours of one day: how much of the busiest hour each has."""
    wide = (_WIDTH - _LABEL) / 24
    drawn = []
    for row, key in enumerate(series):
        drawn.append(_label(key, row))
        found = cells.get((key, day)) or {}
        hours = found.get("hours") or [0] * 24
        empty = "blank" if found.get("interval_s") is None else "none"
        most = max(hours) or 1
        for hour, count in enumerate(hours):
            said = f"{' '.join(key)}, {day} {hour:02}:00: {count:,} readings"
            kind = "bar" if count else empty
            shade = "" if not count else f' style="opacity:{0.25 + 0.75 * count / most:.2f}"'
            drawn.append(
                _cell(_LABEL + hour * wide, row * _ROW, wide - 1, _ROW - 2, kind, said, shade)
            )
    under = len(series) * _ROW + 14
    labels = [_text(_LABEL + hour * wide, under, f"{hour:02}") for hour in range(0, 24, 3)]
    return _svg(_WIDTH, under + 8, [*drawn, *labels], f"Readings in each hour of {day}")


def legend() -> str:
    """What the colours of completeness are."""
    kinds = [(name, said) for _, name, said in GRADES] + [IRREGULAR, NOTHING]
    parts = [f'<span><i class="{name}"></i>{escape(said)}</span>' for name, said in kinds]
    return f'<p class="legend">{"".join(parts)}</p>'


def grade(day: DayTotals) -> str:
    """The colour of a day."""
    return _grade(day.completeness)


def _grade(completeness: float | None) -> str:
    if completeness is None:
        return IRREGULAR[0]
    return next(name for least, name, _ in GRADES if completeness >= least)


def _says(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return NOTHING[1]
    said = f"{found['readings']:,} readings"
    if found["completeness"] is not None:
        said += f", {_percent(found['completeness'])} of what is expected"
    return said + (f", {found['gaps']} gaps" if found["gaps"] else "")


def _percent(share: float | None) -> str:
    """Rounded down: what is not complete never reads 100 %."""
    return "-" if share is None else f"{int(share * 1_000) / 10:g} %"


def _day_labels(days: Sequence[date], wide: float, y: float, left: float = 0) -> list[str]:
    """As many dates as have room."""
    every = max(1, round(60 / wide + 0.5))
    return [
        _text(left + at * wide, y, f"{day:%b %d}") for at, day in enumerate(days) if at % every == 0
    ]


def _label(key: Series, row: int) -> str:
    site, device, name = key
    shown = f"{device} {name}"
    cut = shown if len(shown) <= 44 else shown[:43] + "…"
    return (
        f'<text class="row" x="{_LABEL - 8}" y="{row * _ROW + 12}">'
        f"<title>{escape(f'{site} {shown}')}</title>{escape(cut)}</text>"
    )


def _text(x: float, y: float, text: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'


def _cell(
    x: float, y: float, width: float, height: float, kind: str, said: str, more: str = ""
) -> str:
    return (
        f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
        f"{more}><title>{escape(said)}</title></rect>"
    )


def _svg(width: float, height: float, parts: Sequence[str], title: str) -> str:
    inner = "".join(parts)
    return f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(title)}">{inner}</svg>'
