"""``cloud-sync replay``: readings from the raw zone into a new table, and whether they are the same."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from cloud_sync.options import config_option, data_option, load
from headrace.commands import reports_errors, verbose_option
from headrace.errors import EXIT_FAILURE, UsageError
from headrace.limits.lake import REPLAY_MAX_DIFFERENCES

if TYPE_CHECKING:
    from cloud_sync.config import CloudSync
    from cloud_sync.raw.compare import Difference
    from cloud_sync.raw.replay import Replay
    from cloud_sync.raw.table import Asked, ReplayTable


@click.command()
@click.option(
    "--from",
    "first",
    required=True,
    help="First time of arrival: 2026-11-01, or with a time of day; UTC.",
)
@click.option("--to", "end", required=True, help="Time of arrival before which it ends.")
@click.option("--into", required=True, help="The table that is made: headrace.<name>.")
@click.option("--site", default="", help="Only this site.")
@click.option("--device", "devices", multiple=True, help="Only this device; may be given again.")
@click.option(
    "--quarantined",
    is_flag=True,
    help="Try refused payloads too; what decodes now is in the table.",
)
@click.option("--compare/--no-compare", default=True, help="Compare with what the lake has.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@config_option
@data_option
@verbose_option
@reports_errors
def replay(
    first: str, end: str, into: str, site: str, devices: tuple[str, ...], quarantined: bool,
    compare: bool, as_json: bool, config_path: Path | None, data: Path | None,
) -> None:  # fmt: skip
    """Rebuild readings from the raw zone into a new table. Then show that it equals the old one.

    Killed, the same command goes on. Exit status 1 where anything is different; each device's day that is,
    is named.

    \b
    Example:
      cloud-sync replay --from 2026-11-01 --to 2026-11-02 --into check_1101 --config cloud_sync.toml
    """
    from cloud_sync.raw.replay import Replay
    from cloud_sync.raw.table import Asked, ReplayTable
    from headrace.lake.opening import open_store

    settings = load(config_path, data)
    asked = Asked(
        _instant("--from", first), _instant("--to", end), site, tuple(sorted(devices)), quarantined
    )
    store = open_store(settings.lake)
    table = ReplayTable(settings.lake, into, asked)
    one = Replay(store, table, asked)
    names = one.names()
    if not names:
        raise UsageError(
            "the raw zone has no payloads of these days", hint="set raw.days, before it is needed"
        )
    with click.progressbar(
        length=len(names), label="replay", file=sys.stderr, hidden=as_json
    ) as bar:
        one.run(bar.update)
    sites = sorted({name.site for name in names})
    found = _compared(settings, one, table, asked, sites) if compare else None
    _tell(one, into, found, as_json=as_json)
    sys.exit(EXIT_FAILURE if found else 0)


def _compared(
    settings: CloudSync, one: Replay, table: ReplayTable, asked: Asked, sites: list[str]
) -> list[Difference]:
    try:
        from cloud_sync.raw.compare import differences, sums
        from headrace.query.engine import Engine
        from headrace.query.sources import File, Sources, collect
    except ModuleNotFoundError as error:
        raise UsageError(
            f"comparing needs {error.name}", hint="pip install 'headrace[query]', or --no-compare"
        ) from error
    from cloud_sync.raw.files import QUARANTINE
    from headrace.lake.readings import READINGS_SCHEMA

    with Engine(collect(settings.lake, settings.journal.path), settings.lake) as engine:
        old = sums(engine, asked, sites=sites)
    made = [
        File(uri, "registered")
        for uri in (*table.files(), *one.odd_files())
        if f"/{QUARANTINE}" not in uri
    ]
    with Engine(Sources(tuple(made), READINGS_SCHEMA.empty_table()), settings.lake) as engine:
        new = sums(engine, asked, sites=sites)
    return differences(old, new)


def _tell(one: Replay, into: str, found: list[Difference] | None, *, as_json: bool) -> None:
    told = one.told
    result: dict[str, Any] = {
        "table": f"headrace.{into}", "readings": told.readings, "files": told.files,
        "brought_back": told.brought_back, "repeated": told.repeated, "unreadable": dict(told.unreadable),
        "equal": None if found is None else not found,
        "differences": [str(each) for each in (found or [])[:REPLAY_MAX_DIFFERENCES]],
        "different_days": len(found or []),
    }  # fmt: skip
    if as_json:
        click.echo(msgspec.json.encode(result).decode())
        return
    click.echo(f"replayed {told.readings} readings into headrace.{into} ({told.files} files)")
    if told.brought_back:
        click.echo(f"brought back from quarantine: {told.brought_back} readings")
    for reason, count in told.unreadable.items():
        click.echo(f"{count} payloads: {reason}")
    if found is not None:
        click.echo("equal to the lake" if not found else f"different: {len(found)} days of devices")
    for line in result["differences"]:
        click.echo(f"  {line}")


def _instant(option: str, text: str) -> int:
    """Microseconds since 1970 of an ISO date or time, in UTC where it says no zone."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"{option}: expected 2026-11-01 or 2026-11-01T12:00:00Z, got {text!r}"
        ) from error
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return int(at.timestamp()) * 1_000_000 + at.microsecond
