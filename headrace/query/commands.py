"""``headrace query``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from headrace.commands import reports_errors, verbose_option
from headrace.errors import UsageError

FORMATS = ("table", "csv", "json", "arrow")

F = TypeVar("F", bound=Callable[..., Any])


def place_options(function: F) -> F:
    """``--data``, ``--lake`` and ``--config``: what is asked."""
    for option in (
        click.option(
            "-c", "--config", type=click.Path(path_type=Path),
            help="A cloud_sync.toml, for a lake that is not a folder of this machine.",
        ),
        click.option("--lake", help="A lake's folder alone, without a journal."),
        click.option(
            "--data", type=click.Path(path_type=Path),
            help="A data folder, with gateway/journal.db and lake/ in it. Default: headrace-data.",
        ),
    ):  # fmt: skip
        function = option(function)
    return function


@click.command()
@click.argument("sql")
@place_options
@click.option(
    "-f", "--format", "format_name", type=click.Choice(FORMATS), default="table",
    show_default=True, help="How to print the result; csv has a header line, arrow is an IPC stream.",
)  # fmt: skip
@click.option(
    "-p", "--param", "params", multiple=True, metavar="NAME=VALUE",
    help="A value for $NAME: text after =, JSON after := (a number, true, null, a list).",
)  # fmt: skip
@click.option("--explain", is_flag=True, help="The plan and the files that are read, no result.")
@verbose_option
@reports_errors
def query(
    sql: str, data: Path | None, lake: str | None, config: Path | None, format_name: str,
    params: tuple[str, ...], explain: bool,
) -> None:  # fmt: skip
    """Answer one SQL statement over all readings.

    They are in the lake, in the landing zone and in the journal's tail.

    \b
    Views:
      readings  site, device, name, time, value, text, unit, stream, seq, received, clock
      latest    site, device, name, time, value, text, unit: the newest reading of each series
      series    site, device, name, unit, first_time, last_time, rows
      alerts    rule, device, series, state, severity, started, ended, value, site, summary
      models    time, site, device, model, version, state, reason
    and the lake's derived tables under their own names (SHOW TABLES).

    Each reading is there exactly once, also while gateway and cloud_sync are running. Times are UTC.
    Only files that can hold what is asked for are opened; --explain shows which.

    \b
    Examples:
      headrace query "SELECT device, name, count(*), max(time) FROM readings GROUP BY 1, 2"
      headrace query --param device=pump-1 "SELECT * FROM latest WHERE device = $device"
      headrace query --format csv "SELECT * FROM alerts" > alerts.csv
    """
    # Imported here: DuckDB and Iceberg take a second, and --help should not.
    from headrace.query.ask import Questions
    from headrace.query.config import find_place
    from headrace.query.output import FORMATS

    questions = Questions(find_place(data=data, lake=lake, config=config))
    asked = f"EXPLAIN {sql}" if explain else sql
    with questions.ask(asked, parse_params(params)) as answer:
        for note in answer.read.notes:
            click.echo(f"note: {note}", err=True)
        if answer.read.found_nothing:
            click.echo("note: no readings yet", err=True)
        if explain and format_name == "table":
            _print_plan(answer.reader.read_all().to_pylist())
        else:
            FORMATS[format_name](answer.reader, sys.stdout.buffer)
    sys.stdout.buffer.flush()


def parse_params(params: Sequence[str]) -> dict[str, Any] | list[Any] | None:
    """Values by the names of parameters; numbers as names make a list, for ``?``.

    Raises:
        UsageError: not NAME=VALUE, or not JSON after ``:=``.
    """
    found: dict[str, Any] = {}
    for each in params:
        name, sign, value = each.partition("=")
        if not sign or not name.strip(":"):
            raise UsageError(f"--param {each!r}: expected NAME=VALUE or NAME:=JSON")
        found[name.removesuffix(":")] = _json(each, value) if name.endswith(":") else value
    if found and set(found) == {str(place) for place in range(1, len(found) + 1)}:
        return [found[str(place)] for place in range(1, len(found) + 1)]
    return found or None


def _json(param: str, text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise UsageError(
            f"--param {param!r}: not JSON after := ({error})", hint="for text, NAME=VALUE"
        ) from error


def _print_plan(rows: list[dict[str, str]]) -> None:
    """Boxes drawn by DuckDB want a terminal, not another table around them."""
    for row in rows:
        click.echo(row["explain_value"])
