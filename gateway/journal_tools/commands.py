"""The commands of ``gateway journal``."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from gateway.commands.options import config_option, json_option, load
from headrace.clock import SystemClock
from headrace.commands import reports_errors

#: Seconds between two looks of ``tail --follow``.
_LOOK_S: Final = 0.2

device_option = click.option("--device", default="*", help="Only devices that match this glob.")
name_option = click.option("--name", default="*", help="Only series that match this glob.")


@click.group()
def journal() -> None:
    """Look at the journal; safe while the gateway runs.

    \b
    Example:
      gateway journal stat --config gateway.toml
    """


@journal.command("stat")
@config_option
@json_option
@click.option("--top", default=20, show_default=True, type=click.IntRange(0), help="Devices shown.")
@reports_errors
def stat(config_path: Path, as_json: bool, top: int) -> None:
    """Show what the journal holds, who reads it, and what devices lack.

    \b
    Example:
      gateway journal stat --config gateway.toml --json
    """
    from gateway.journal_tools.stat import collect, lines

    found = collect(load(config_path).journal_path, SystemClock().now_us())
    click.echo(msgspec.json.encode(found) if as_json else "\n".join(lines(found, top=top)))


@journal.command("tail")
@config_option
@json_option
@device_option
@name_option
@click.option("-n", "--lines", "count", default=10, show_default=True, type=click.IntRange(0, 100_000), help="Readings shown at first.")  # fmt: skip
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@reports_errors
def tail(
    config_path: Path, as_json: bool, device: str, name: str, count: int, follow: bool
) -> None:
    """Print the newest readings, decoded, and follow them.

    \b
    Example:
      gateway journal tail -f --device 'pump-*' --name vibration
    """
    from gateway.journal_tools.choice import Choice
    from gateway.journal_tools.tail import after, line, newest
    from headrace.journal import JournalReader

    choice = Choice(device, name)
    with JournalReader(load(config_path).journal_path) as reader:
        found, cursor = newest(reader, choice, count)
        while True:
            for reading in found:
                click.echo(line(reading, as_json=as_json))
            if not follow:
                return
            found, moved = after(reader, cursor, choice)
            if moved == cursor:
                time.sleep(_LOOK_S)
            cursor = moved


@journal.command("verify")
@config_option
@json_option
@reports_errors
def verify(config_path: Path, as_json: bool) -> None:
    """Check every page, row and range of the journal. Exit status 1 if anything is wrong.

    \b
    Example:
      gateway journal verify --config gateway.toml
    """
    from gateway.journal_tools.verify import lines
    from gateway.journal_tools.verify import verify as check

    path = load(config_path).journal_path
    with click.progressbar(length=1_000, label="verify", file=sys.stderr) as bar:
        report = check(path, lambda at, head: _show(bar, at, head))
    if as_json:
        click.echo(msgspec.json.encode({"ok": report.ok, **asdict(report)}))
    else:
        click.echo("\n".join(lines(report)))
    sys.exit(0 if report.ok else 1)


@journal.command("export")
@config_option
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--format", "kind", type=click.Choice(["parquet", "arrow", "csv", "ndjson"]), help="Of the file; by default what its name ends in.")  # fmt: skip
@device_option
@name_option
@click.option("--since", help="Only readings from this time on: 2026-11-23T08:00 (UTC), or 2h ago.")
@click.option("--until", help="Only readings before this time.")
@click.option("--first", default=1, show_default=True, type=click.IntRange(1), help="First offset.")
@click.option("--last", type=click.IntRange(1), help="Last offset; the newest by default.")
@reports_errors
def export(
    config_path: Path, out: Path, kind: str | None, device: str, name: str, since: str | None,
    until: str | None, first: int, last: int | None,
) -> None:  # fmt: skip
    """Write a part of the journal into a file. It can be parquet, arrow, csv or ndjson.

    \b
    Example:
      gateway journal export yesterday.parquet --since 2026-11-22 --until 2026-11-23
      gateway journal export pump-7.csv --device pump-7 --since 2h
    """
    from gateway.journal_tools.choice import Choice, parse_time
    from gateway.journal_tools.export import FORMATS
    from gateway.journal_tools.export import export as write
    from headrace.journal import JournalReader

    named = kind or out.suffix.removeprefix(".")
    chosen = next((each for each in FORMATS if each == named), None)
    if chosen is None:
        raise click.UsageError(f"{out} ends in none of {', '.join(FORMATS)}: give --format")
    now = SystemClock().now_us()
    choice = Choice(
        device, name,
        since=None if since is None else parse_time(since, now),
        until=None if until is None else parse_time(until, now),
    )  # fmt: skip
    path = load(config_path).journal_path
    with JournalReader(path) as reader:
        head = reader.head()
    with click.progressbar(length=1_000, label="export", file=sys.stderr) as bar:
        done = write(
            path, out, chosen, choice, first=first, last=last,
            progress=lambda at: _show(bar, at, head if last is None else min(last, head)),
        )  # fmt: skip
    if done.damaged:
        click.echo(f"{done.damaged} damaged batches left out: see `gateway journal verify`", err=True)  # fmt: skip
    click.echo(f"{done.readings} readings in {out}")


def _show(bar: Any, at: int, head: int) -> None:
    bar.update(max(0, at * 1_000 // max(head, 1) - bar.pos))
