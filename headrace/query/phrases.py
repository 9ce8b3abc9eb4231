"""Questions that are asked often, as SQL with parameters. Pure: for the endpoint and for Python."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final

Phrase = tuple[str, dict[str, Any]]
Moment = str | date | datetime

_COLUMNS: Final = "site, device, name, time, value, text, unit"

DEVICES: Final = (
    "SELECT site, device, count(*) AS series, max(time) AS last_time FROM latest "
    "GROUP BY site, device ORDER BY site, device"
)

#: Views and their columns; tables of the engine's own are temporary.
TABLES: Final = (
    "SELECT table_name AS name, list(column_name ORDER BY ordinal_position) AS columns, "
    "list(data_type ORDER BY ordinal_position) AS types "
    "FROM information_schema.columns WHERE table_catalog <> 'temp' "
    "GROUP BY table_schema, table_name ORDER BY name"
)


def readings(
    *, device: str | None = None, names: Sequence[str] = (), start: Moment | None = None,
    end: Moment | None = None, site: str | None = None, limit: int | None = None,
) -> Phrase:  # fmt: skip
    """Readings in order of device, name and time; ``start`` is inclusive, ``end`` is not."""
    terms, values = _of_series(device, names, site)
    for name, sign, moment in (("start", ">=", start), ("end", "<", end)):
        if moment is not None:
            terms.append(f"time {sign} CAST(${name} AS TIMESTAMPTZ)")
            values[name] = moment
    sql = f"SELECT {_COLUMNS} FROM readings{_where(terms)} ORDER BY site, device, name, time"  # noqa: S608 - ours
    return (f"{sql} LIMIT {int(limit)}" if limit is not None else sql), values


def latest(
    *, device: str | None = None, names: Sequence[str] = (), site: str | None = None
) -> Phrase:
    """The newest reading of each series."""
    terms, values = _of_series(device, names, site)
    sql = f"SELECT {_COLUMNS} FROM latest{_where(terms)} ORDER BY site, device, name"  # noqa: S608 - ours
    return sql, values


def series(*, device: str | None = None, site: str | None = None) -> Phrase:
    """Series, from what is kept of their newest readings."""
    terms, values = _of_series(device, (), site)
    return (
        "SELECT site, device, name, unit, time AS last_time FROM latest"  # noqa: S608 - ours
        f"{_where(terms)} ORDER BY site, device, name"
    ), values


def known(view: str, *, site: str | None = None) -> Phrase:
    """Devices and their names, of ``latest`` or ``series``."""
    terms, values = _of_series(None, (), site)
    return f"SELECT DISTINCT device, name FROM {view}{_where(terms)}", values  # noqa: S608 - ours


def _of_series(
    device: str | None, names: Sequence[str], site: str | None
) -> tuple[list[str], dict[str, Any]]:
    terms: list[str] = []
    values: dict[str, Any] = {}
    for column, value in (("device", device), ("site", site)):
        if value is not None:
            terms.append(f"{column} = ${column}")
            values[column] = value
    if names:
        places = {f"name{place}": name for place, name in enumerate(names)}
        terms.append(f"name IN ({', '.join('$' + place for place in places)})")
        values |= places
    return terms, values


def _where(terms: Sequence[str]) -> str:
    return " WHERE " + " AND ".join(terms) if terms else ""
