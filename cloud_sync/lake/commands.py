"""Commands for the day when something is wrong with the lake: look, put back, give up."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from cloud_sync.options import config_option, data_option, load
from headrace.batch import is_device_id
from headrace.commands import reports_errors, verbose_option
from headrace.errors import EXIT_FAILURE, UsageError

if TYPE_CHECKING:
    from click._termui_impl import ProgressBar

    from cloud_sync.lake.record import TableState
    from cloud_sync.lake.table import ReadingsTable
    from cloud_sync.lake.verification import Report, Scope, Verifier

MIB = 2**20


@click.command()
@config_option
@data_option
@click.option(
    "--scope",
    type=click.Choice(["landed", "registered", "all"]),
    default="all",
    show_default=True,
    help="Files that are not in the table yet, those that are, or both.",
)
@click.option("--site", default="", help="One site's files only.")
@click.option(
    "--sample", "share", type=click.FloatRange(0, 1), default=1.0, show_default=True,
    help="Part of the files, chosen at random.",
)  # fmt: skip
@click.option("--rate", type=click.FloatRange(0), default=0.0, help="MiB/s at most; 0 is no limit.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@verbose_option
@reports_errors
def verify(
    config_path: Path | None, data: Path | None, scope: Scope, site: str, share: float, rate: float,
    as_json: bool,
) -> None:  # fmt: skip
    """Compare the lake's files with their checksums.

    What is damaged is asked for at its site, which sends it again as long as its journal has the
    readings. A table that is gone or was set back counts as damaged, too. Exit status 1 if anything is.

    \b
    Example:
      cloud-sync verify --data headrace-data --sample 0.1 --rate 20
    """
    from cloud_sync.lake.table import IcebergReadings
    from cloud_sync.lake.verification import Choice, Verifier
    from headrace.lake.opening import open_store

    lake = load(config_path, data).lake
    choice = Choice(
        scope=scope, site=site, share=share, bytes_per_s=rate * MIB, chance=random.random
    )
    verifier = Verifier(open_store(lake), IcebergReadings(lake), choice)
    _read_all(verifier)
    _print(verifier.report, as_json=as_json)
    sys.exit(EXIT_FAILURE if verifier.report.damaged else 0)


def _read_all(verifier: Verifier) -> None:
    length = sum(verifier.files.values())
    bar: ProgressBar[int] = click.progressbar(length=length, label="verifying", file=sys.stderr)
    with bar:
        for size in verifier.run():
            bar.update(size)


def _print(report: Report, *, as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.encode(report).decode())
        return
    click.echo(
        f"{report.objects} objects, {report.bytes} bytes read, {len(report.damaged)} damaged"
    )
    for each in report.damaged:
        click.echo(f"damaged: {each.path}: {each.why}; {each.then}")


@click.command("restore-table")
@config_option
@data_option
@click.option(
    "--anew",
    is_flag=True,
    help="Take the table as it is; where there is none, begin one from what is in the landing zone.",
)
@click.option(
    "--over",
    is_flag=True,
    help="Bring ours back also where others have written to the table since; theirs is out of it then.",
)
@click.option(
    "--older",
    is_flag=True,
    help="Where metadata was lost: go back to the newest that is there; what it lacks is registered again.",
)
@verbose_option
@reports_errors
def restore_table(
    config_path: Path | None, data: Path | None, anew: bool, over: bool, older: bool
) -> None:
    """Bring back a table that was dropped or set back.

    The record of the last commit says what the table had (tables/ in the lake). A table that was dropped
    comes back from its newest metadata, which must still be there: a catalogue that was told to purge has
    removed it. One that was set back gets its snapshot and its watermarks again, in one commit.

    With --anew the table that is there is put on record as it is. Where there is none the next registration
    makes one, of every landing whose files are still there: what maintenance has rewritten is not among them.

    \b
    Example:
      cloud-sync restore-table --data headrace-data
    """
    from cloud_sync.lake.record import TableRecord, TableState
    from cloud_sync.lake.table import IcebergReadings
    from headrace.lake.opening import open_store

    lake = load(config_path, data).lake
    record, table = TableRecord(open_store(lake)), IcebergReadings(lake)
    known = TableState() if anew else record.read()
    gone = _look(table, known)
    found = table.state()
    if anew or (found is None and not known.uuid):
        record.write(found or TableState())
        click.echo(
            "on record: " + (f"the table {found.uuid}" if found else "none; one will be made")
        )
        return
    lost = gone if found is None else _lost(table, known, found)
    restored = table.restore(known, over=over, older=older)
    record.write(restored)
    click.echo(
        f"restored: {restored.uuid} at {restored.location}, {len(table.files())} files ({lost})"
    )


def _look(table: ReadingsTable, known: TableState) -> str:
    """Read the table; how it is gone, where it is.

    Raises:
        MetadataLost: and there is no record of where it was.
    """
    from headrace.errors import MetadataLost

    try:
        table.watermarks()
    except MetadataLost as error:
        if not known.uuid:
            raise
        return error.message
    return "it is gone"


def _lost(table: ReadingsTable, known: TableState, found: TableState) -> str:
    """What a table that is there has lost of its record.

    Raises:
        UsageError: nothing, or it is another table.
    """
    lost = found.lacks(known, follows=table.follows(known)) if found.uuid == known.uuid else ""
    if not lost:
        raise UsageError(
            f"there is a table: {found.uuid} at {found.location}; on record: {known.uuid or 'none'}",
            hint="--anew takes it as it is",
        )
    return lost


@click.command("give-up")
@config_option
@data_option
@click.argument("site")
@click.argument("journal")
@click.argument("first", type=click.IntRange(1))
@click.argument("last", type=click.IntRange(1))
@click.option("--why", required=True, help="For those who ask later.")
@verbose_option
@reports_errors
def give_up(
    config_path: Path | None, data: Path | None, site: str, journal: str, first: int, last: int,
    why: str,
) -> None:  # fmt: skip
    """Go on without a landing that is damaged or missing.

    For a site that is gone and will not answer. The sound files of the landing are registered; what
    is missing stands in quarantine/ of the lake.

    \b
    Example:
      cloud-sync give-up --data headrace-data harbour 00112233445566aa 41 52 --why "the site burnt down"
    """
    from cloud_sync.lake.repairs import Repairs
    from headrace.lake.opening import open_store
    from headrace.landing import manifest_name

    if not is_device_id(site) or last < first:
        raise UsageError(f"expected a site and first <= last, got {site!r} {first} {last}")
    name = manifest_name(site, journal, first, last)
    Repairs(open_store(load(config_path, data).lake)).give_up(name, why)
    click.echo(f"given up: offsets {first}-{last} of site {site}, journal {journal}")
