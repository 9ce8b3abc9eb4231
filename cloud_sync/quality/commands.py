"""``cloud-sync quality``: a round, now."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from cloud_sync.config import CloudSync
from cloud_sync.options import config_option, data_option, load
from headrace.clock import SystemClock
from headrace.commands import reports_errors, verbose_option
from headrace.errors import EXIT_FAILURE, UsageError
from headrace.metrics import Metrics

if TYPE_CHECKING:
    from cloud_sync.quality.keeper import DayDone


@click.command()
@config_option
@data_option
@click.option(
    "--day", "days", multiple=True, metavar="YYYY-MM-DD",
    help="Judge this day, due or not; may be repeated.",
)  # fmt: skip
@click.option("--all", "everything", is_flag=True, help="Judge all days anew.")
@click.option("--dry-run", is_flag=True, help="Say which days are due; change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the days as JSON.")
@verbose_option
@reports_errors
def quality(
    config_path: Path | None, data: Path | None, days: tuple[str, ...], everything: bool,
    dry_run: bool, as_json: bool,
) -> None:  # fmt: skip
    """Judge the days that have new readings. The table `quality` has a row of each series and day.

    cloud-sync run does it every hour. Exit status 1 if a day could not be judged; the others are.
    `headrace quality report` makes a page of the table.

    \b
    Example:
      cloud-sync quality --data headrace-data
      cloud-sync quality --day 2026-11-23 --json
    """
    if days and everything:
        raise UsageError("--day and --all exclude each other", hint="name one of them")
    only = [_day(each) for each in days]
    settings = load(config_path, data)
    done = _round(settings, only, everything, dry_run, is_quiet=as_json)
    if as_json:
        click.echo(msgspec.json.encode(done).decode())
    else:
        _print(done, dry_run)
    sys.exit(EXIT_FAILURE if any(day.problem for day in done) else 0)


def _round(
    settings: CloudSync, only: Sequence[date], everything: bool, dry_run: bool, *, is_quiet: bool
) -> list[DayDone]:
    # pyiceberg, Arrow and DuckDB take a second to import: not for --help.
    from cloud_sync.quality.keeper import QualityKeeper

    bar = _Bar(is_quiet=is_quiet or dry_run)
    keeper = QualityKeeper(settings, SystemClock(), Metrics("cloud_sync"), bar.tell)
    done = keeper.round(only=only, everything=everything, dry_run=dry_run)
    bar.end()
    return done


class _Bar:
    """A progress bar over the days, on stderr; none where the answer is for scripts."""

    def __init__(self, *, is_quiet: bool) -> None:
        self._is_quiet = is_quiet
        self._bar: click._termui_impl.ProgressBar[int] | None = None

    def tell(self, day: date, at: int, of: int) -> None:
        if self._is_quiet:
            return
        if self._bar is None:
            self._bar = click.progressbar(length=of, label="judging", file=sys.stderr)
        self._bar.label = f"judging {day}"
        self._bar.update(at - self._bar.pos)
        self._bar.render_progress()

    def end(self) -> None:
        if self._bar is not None:
            self._bar.update(1)
            self._bar.render_finish()


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"--day {text!r}: expected YYYY-MM-DD") from error


def _print(done: Sequence[DayDone], dry_run: bool) -> None:
    for day in done:
        if dry_run:
            click.echo(f"{day.day}: would be judged")
        elif day.problem:
            click.echo(f"{day.day}: {day.problem}")
        else:
            anew = "" if day.devices is None else f"; {day.devices:,} devices had new ones"
            click.echo(
                f"{day.day}: {day.series:,} series, {day.readings:,} readings, "
                f"{day.incomplete:,} incomplete{anew}"
            )
    if not done:
        click.echo("nothing to judge: no readings came since the last time")
