"""``cloud-sync maintain``: one round, now."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from cloud_sync.config import CloudSync
from cloud_sync.options import config_option, data_option, load
from headrace.clock import SystemClock
from headrace.commands import reports_errors, verbose_option
from headrace.errors import EXIT_FAILURE
from headrace.metrics import Metrics

if TYPE_CHECKING:
    from cloud_sync.maintain.report import Report


@click.command()
@config_option
@data_option
@click.option("--dry-run", is_flag=True, help="Say what it would do and save; change nothing.")
@click.option("--table", "tables", multiple=True, help="This table only; may be repeated.")
@click.option(
    "--day",
    "days",
    multiple=True,
    metavar="YYYY-MM-DD",
    help="Compact this day only; may be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@verbose_option
@reports_errors
def maintain(
    config_path: Path | None, data: Path | None, dry_run: bool, tables: tuple[str, ...],
    days: tuple[str, ...], as_json: bool,
) -> None:  # fmt: skip
    """Compact the lake's days, retire old ones, clean up. What nobody needs any more is removed.

    Runs beside cloud-sync: registering never waits for it. Exit status 1 if something could not be
    finished; the next round goes on. The last line says how the lake is.

    \b
    Example:
      cloud-sync maintain --data headrace-data --dry-run
      cloud-sync maintain --table readings --day 2026-11-23 --json
    """
    settings = load(config_path, data)
    bars = Bars(is_quiet=as_json or dry_run)
    report = _round(settings, bars.begin, tables, days, dry_run)
    bars.end()
    if as_json:
        answer = {**msgspec.to_builtins(report), "health": report.health}
        click.echo(msgspec.json.encode(answer).decode())
    else:
        _print(report)
    unfinished = report.problems or any(day.state in ("lost", "left") for day in report.days)
    sys.exit(EXIT_FAILURE if unfinished else 0)


def _round(
    settings: CloudSync, watch: Callable[[str, int], Callable[[int], None]],
    tables: tuple[str, ...], days: tuple[str, ...], dry_run: bool,
) -> Report:  # fmt: skip
    # pyiceberg and Arrow take a second to import: not for --help.
    from cloud_sync.maintain.maintainer import Maintainer
    from headrace.lake.opening import open_store

    store, metrics = open_store(settings.lake), Metrics("cloud_sync")
    maintainer = Maintainer(settings, store, SystemClock(), metrics, watch)
    return maintainer.round(tables=tables, days=days, dry_run=dry_run)


def _print(report: Report) -> None:
    from cloud_sync.maintain.report import lines

    for line in lines(report):
        click.echo(line)


class Bars:
    """A progress bar for each piece of long work, on stderr; none where the answer is for scripts."""

    def __init__(self, *, is_quiet: bool) -> None:
        self._is_quiet = is_quiet
        self._bar: click._termui_impl.ProgressBar[int] | None = None

    def begin(self, title: str, rows: int) -> Callable[[int], None]:
        self.end()
        if self._is_quiet:
            return lambda _: None
        self._bar = click.progressbar(length=rows, label=title, file=sys.stderr)
        self._bar.render_progress()
        return self._bar.update

    def end(self) -> None:
        if self._bar is not None:
            self._bar.render_finish()
            self._bar = None
