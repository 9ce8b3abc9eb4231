"""The page: one HTML file that needs nothing else, to be opened, mailed or kept.

Whatever comes from the lake (names of devices, units, reasons) is text and is escaped; the page has no script, and says
so to the browser.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from html import escape
from importlib.resources import files

import pyarrow as pa

from headrace import __version__
from headrace.limits.quality import REPORT_MAX_FINDINGS, REPORT_MAX_SERIES
from headrace.quality import pictures, summary
from headrace.quality.findings import Finding, by_kind, findings
from headrace.quality.refused import Refused
from headrace.quality.summary import Totals
from headrace.quality.table import Days

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def page(days: Days, rows: pa.Table, refused: Refused, *, now: datetime) -> str:
    """The whole page."""
    all_days = list(days)
    series = summary.worst(rows, REPORT_MAX_SERIES)
    cells = summary.cells(rows, series)
    found = findings(rows)
    parts = [
        f"<h1>Quality of readings</h1><p>{days.first} to {days.last} (UTC); computed from the table "
        f"quality at {now.astimezone(UTC):%Y-%m-%d %H:%M} UTC</p>",
        _cards(summary.totals(rows), found),
        "<h2>Day by day</h2><p>Height: readings. Colour: how much of what is expected is there.</p>",
        _scroll(pictures.day_bars(summary.by_day(rows, all_days))), pictures.legend(),
        _map(series, rows, all_days, cells), _hours(series, days.last, cells),
        _findings(found), _refused(refused), _how(),
    ]  # fmt: skip
    return _document("".join(parts))


def _document(body: str) -> str:
    style = files("headrace.quality").joinpath("page.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Quality of readings</title><style>{style}</style></head><body>{body}"
        f"<footer>Headrace {__version__}</footer></body></html>\n"
    )


def _cards(totals: Totals, found: Sequence[Finding]) -> str:
    share = totals.completeness
    cards = [
        ("of what is expected", "-" if share is None else f"{int(share * 10_000) / 100:g} %"),
        ("readings", f"{totals.readings:,}"), ("series", f"{totals.series:,}"),
        ("devices", f"{totals.devices:,}"), ("missing", f"{totals.missing:,}"),
        ("gaps", f"{totals.gaps:,}"), ("outliers", f"{totals.outliers:,}"),
        ("repeated", f"{totals.duplicates + totals.conflicts:,}"),
        ("odd times", f"{totals.odd:,}"), ("remarks", f"{len(found):,}"),
    ]  # fmt: skip
    inner = "".join(f"<div><b>{number}</b><span>{what}</span></div>" for what, number in cards)
    return f'<div class="cards">{inner}</div>'


def _map(
    series: Sequence[pictures.Series], rows: pa.Table, days: Sequence[date], cells: pictures.Cells
) -> str:
    count = summary.totals(rows).series
    which = (
        f"the {len(series)} worst of {count:,}" if count > len(series) else "all, the worst first"
    )
    return (
        f"<h2>Series by day</h2><p>Completeness: {which}. Point at a cell for its numbers.</p>"
        + _scroll(pictures.day_map(series, days, cells))
        + pictures.legend()
    )


def _hours(series: Sequence[pictures.Series], last: date, cells: pictures.Cells) -> str:
    return (
        f"<h2>Hours of {last}</h2><p>Readings in each hour; the darker, the nearer to the busiest hour "
        "of the series. Red: none, although some are expected.</p>"
        + _scroll(pictures.hour_map(series[: REPORT_MAX_SERIES // 2], last, cells))
    )


def _findings(found: Sequence[Finding]) -> str:
    if not found:
        return "<h2>Remarks</h2><p>None: every series that is expected is there.</p>"
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in by_kind(found).items())
    rows = [
        (each.kind, str(each.day), each.device, each.name, each.says)
        for each in found[:REPORT_MAX_FINDINGS]
    ]
    more = len(found) - len(rows)
    rest = f"<p>… and {more:,} more: headrace quality report --json has all.</p>" if more else ""
    head = ("what", "day", "device", "name", "says")
    return f"<h2>Remarks</h2><p>{escape(kinds)}</p>{_table(head, rows)}{rest}"


def _refused(refused: Refused) -> str:
    payloads = [
        (str(each.day), each.site, each.device, each.reason, f"{each.payloads:,} payloads")
        for each in refused.payloads
    ]
    landings = [
        (
            "",
            each.site,
            "",
            each.why,
            f"offsets {each.first}-{each.last}, {_readings(each.readings)}",
        )
        for each in refused.given_up
    ]
    if payloads or landings:
        told = _table(("day", "site", "device", "why", "what"), [*payloads, *landings])
    elif refused.is_raw_kept:
        told = "<p>Nothing.</p>"
    else:
        told = (
            "<p>No landing was given up. Payloads that gateways refused are not known here, as the raw zone "
            "is off ([raw] in cloud_sync.toml); there: gateway quarantine ls.</p>"
        )
    return f"<h2>In quarantine</h2>{told}"


def _readings(count: int | None) -> str:
    return "readings unknown" if count is None else f"{count:,} readings"


def _how() -> str:
    return (
        "<h2>How it is counted</h2><p>What is expected follows from the interval of a series: as configured, "
        "else as in the two weeks before, else as on the day. A series that speaks when it likes has none, and is "
        "not judged. An outlier is six robust deviations (MAD) from the day's median. A series is flat if it "
        "stays the same for an hour and otherwise moves.</p>"
    )


def _scroll(inner: str) -> str:
    return f'<div class="scroll">{inner}</div>'


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    titles = "".join(f"<th>{escape(each)}</th>" for each in head)
    lines = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f'<div class="scroll"><table><tr>{titles}</tr>{lines}</table></div>'
