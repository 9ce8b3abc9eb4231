"""``headrace quality``."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import click
import msgspec

from headrace.commands import reports_errors, verbose_option
from headrace.errors import StorageError, UsageError
from headrace.query.commands import place_options


@click.group()
def quality() -> None:
    """Say how good the readings are. Complete, regular, plausible, in time.

    \b
    Example:
      headrace quality report --out report.html
    """


@quality.command()
@place_options
@click.option(
    "--from", "first", metavar="YYYY-MM-DD", help="First day. Default: a week before the last."
)
@click.option(
    "--to", "last", metavar="YYYY-MM-DD", help="Last day. Default: the newest that is judged."
)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), default=Path("quality.html"),
    show_default=True, help="The page to write; one file that needs nothing else.",
)  # fmt: skip
@click.option(
    "--json", "as_json", is_flag=True, help="Print totals and all remarks; write no page."
)
@verbose_option
@reports_errors
def report(
    data: Path | None, lake: str | None, config: Path | None, first: str | None, last: str | None,
    out: Path, as_json: bool,
) -> None:  # fmt: skip
    """Make a page of the table `quality`, which cloud-sync keeps.

    Completeness by day, series and hour; gaps, outliers, flat lines, clocks and duplicates in sentences. The
    table itself: headrace query "SELECT * FROM quality".

    \b
    Examples:
      headrace quality report --out report.html
      headrace quality report --from 2026-11-01 --to 2026-11-23 --json
    """
    days = _day("--from", first), _day("--to", last)
    # Imported here: Iceberg takes a second, and --help should not.
    from headrace.lake.catalogue import exists, open_catalogue
    from headrace.quality import refused, table
    from headrace.quality.findings import by_kind, findings
    from headrace.quality.page import page
    from headrace.quality.summary import totals
    from headrace.query.config import find_place

    place = find_place(data=data, lake=lake, config=config)
    catalogue = open_catalogue(place.lake) if exists(place.lake) else None
    shown, rows = table.load(catalogue, *days)
    kept = refused.load(place.lake, shown)
    found = findings(rows)
    if as_json:
        answer = {
            "from": shown.first, "to": shown.last, "totals": totals(rows), "remarks": found,
            "refused": kept,
        }  # fmt: skip
        click.echo(msgspec.json.encode(answer).decode())
        return
    _write(out, page(shown, rows, kept, now=datetime.now(UTC)))
    counted = ", ".join(f"{count} {kind}" for kind, count in by_kind(found).items())
    click.echo(f"{out}: {shown.first} to {shown.last}; {counted or 'nothing to remark'}")


def _day(option: str, text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{option} {text!r}: expected YYYY-MM-DD") from error


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error
