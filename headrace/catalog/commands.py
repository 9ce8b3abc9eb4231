"""``headrace catalog``."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from headrace.commands import reports_errors, verbose_option
from headrace.errors import UsageError
from headrace.query.commands import place_options


@click.command()
@click.argument("table", default="")
@place_options
@click.option(
    "--series", "of_series", is_flag=True, help="What there is: devices, names, units, tags."
)
@click.option("--device", default="*", show_default=True, help="With --series: a shell pattern.")
@click.option("--name", default="*", show_default=True, help="With --series: a shell pattern.")
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON.")
@verbose_option
@reports_errors
def catalog(
    table: str, data: Path | None, lake: str | None, config: Path | None, of_series: bool,
    device: str, name: str, as_json: bool,
) -> None:  # fmt: skip
    """List what is in the lake, or explain one TABLE. Columns, units, sizes, snapshots, freshness by site.

    It reads metadata only, however large the lake is. The series are as of the newest registration;
    the view `series` of headrace query is of this moment.

    \b
    Examples:
      headrace catalog
      headrace catalog readings
      headrace catalog --series --device "pump-*" --json
    """
    if of_series and table:
        raise UsageError("TABLE and --series exclude each other", hint="name one of them")
    # Imported here: Iceberg takes a second, and --help should not.
    from headrace.catalog import listing, show
    from headrace.catalog import series as series_table
    from headrace.catalog.freshness import freshness
    from headrace.lake.catalogue import exists, open_catalogue
    from headrace.query.config import find_place

    place = find_place(data=data, lake=lake, config=config)
    catalogue = open_catalogue(place.lake) if exists(place.lake) else None
    if table:
        found = listing.details(catalogue, table)
        _json(found) if as_json else show.table(found)
        return
    rows = series_table.load(catalogue)
    if of_series:
        if rows is None:
            raise UsageError(
                "no table of series yet", hint="cloud-sync makes it a minute after its start"
            )
        chosen = series_table.chosen(rows, device=device, name=name)
        _json(chosen) if as_json else show.series(chosen)
        return
    tables, sites = listing.listing(catalogue), freshness(place.lake, place.journal, catalogue)
    overview = series_table.overview(rows) if rows is not None else None
    if as_json:
        _json({"tables": tables, "series": overview, "sites": sites})
    else:
        show.tables(tables, overview, sites)


def _json(found: object) -> None:
    click.echo(msgspec.json.encode(found).decode())
