"""The SQL of the views.

``readings``  every reading once, wherever it lies.
              ``clock`` = 'odd' marks those whose time cannot be right (``headrace.odd_times``).
``series``    one row per (site, device, name), with the newest unit. It is computed from the table that is kept
              of them and what came since (``series``), or from all readings. Its times are null where all are odd.
``alerts``    computed too. An alert's transitions are journalled as readings of the alerting device
              with the name ``alert/<rule>`` and a JSON text; an alert is all transitions with the
              same site, device, rule, series and start, and shows as the newest of them.
``models``    what happened to versions of models, at gateways and devices: one row a step. A step that
              was journalled twice (its writer died in between) shows once.
``latest``    the newest reading of each (site, device, name), odd times left out. It is computed from
              what is kept for it and what came since (``latest``), not from all readings.
``lake.…``    derived tables (``tables``), also without ``lake.`` where the name is free.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from headrace.lake.readings import READINGS_SCHEMA

ALERT_PREFIX: Final = "alert/"

COLUMNS: Final = ", ".join(f'"{name}"' for name in READINGS_SCHEMA.names)

#: Of a gateway's models and of a device's own.
EVENT_NAMES: Final = "^(?:edge-)?model/(.*)/event$"

ALERTS: Final = f"""
CREATE VIEW alerts AS
WITH transitions AS (
    SELECT site, device, substr(name, {len(ALERT_PREFIX) + 1}) AS rule, time, seq, text AS said
    FROM readings
    WHERE name >= '{ALERT_PREFIX}' AND name < 'alert0' AND json_valid(text)
), told AS (
    SELECT rule, device,
           said ->> '$.series' AS series,
           said ->> '$.state' AS state,
           said ->> '$.severity' AS severity,
           make_timestamptz(TRY_CAST(said ->> '$.started' AS BIGINT)) AS started,
           make_timestamptz(TRY_CAST(said ->> '$.ended' AS BIGINT)) AS ended,
           TRY_CAST(said ->> '$.value' AS DOUBLE) AS value,
           site,
           said ->> '$.summary' AS summary,
           time, seq
    FROM transitions
)
SELECT * EXCLUDE (time, seq) FROM told
QUALIFY row_number() OVER (
    PARTITION BY site, device, rule, series, started ORDER BY time DESC, seq DESC
) = 1
"""  # noqa: S608 - ours


MODELS: Final = f"""
CREATE VIEW models AS
WITH events AS (
    SELECT site, device, regexp_extract(name, '{EVENT_NAMES}', 1) AS model, time, seq, text AS said
    FROM readings
    WHERE name LIKE '%model/%/event' AND regexp_matches(name, '{EVENT_NAMES}') AND json_valid(text)
)
SELECT time, site, device, model,
       TRY_CAST(said ->> '$.version' AS BIGINT) AS version,
       said ->> '$.state' AS state,
       said ->> '$.reason' AS reason
FROM events
QUALIFY row_number() OVER (PARTITION BY site, device, model, version, state, time ORDER BY seq) = 1
"""  # noqa: S608 - ours


#: The schema of derived tables, and that names without a schema are looked for there in the end.
LAKE: Final = "lake"
SEARCH_PATH: Final = f"SET search_path = 'main,{LAKE}'"


def latest(parts: Iterable[str]) -> str:
    """The view over readings of which the newest of each series count."""
    columns = "site, device, name, time, value, text, unit, received, seq, clock"
    selects = " UNION ALL ".join(f"SELECT {columns} FROM {part}" for part in parts)  # noqa: S608 - ours
    return f"""
CREATE VIEW latest AS
SELECT site, device, name, newest.time AS time, newest.value AS value, newest.text AS text,
       newest.unit AS unit
FROM (
    SELECT site, device, name, arg_max(
        {{'time': time, 'value': value, 'text': text, 'unit': unit}},
        {{'time': time, 'received': received, 'seq': seq}}
    ) AS newest
    FROM ({selects}) WHERE clock IS DISTINCT FROM 'odd' GROUP BY site, device, name
)
"""  # noqa: S608 - ours


def series(parts: Iterable[str], known: Iterable[str] = ()) -> str:
    """The view over readings, and rows of the table of series, of which none is among those."""
    readings = " UNION ALL ".join(
        f"SELECT site, device, name, unit, time, clock FROM {part}"  # noqa: S608 - ours
        for part in parts
    )
    kept = "".join(
        " UNION ALL SELECT site, device, name, unit, first_time, last_time, readings "  # noqa: S608 - ours
        f"FROM {part} WHERE readings > 0"
        for part in known
    )
    return f"""
CREATE VIEW series AS
SELECT site, device, name,
       coalesce(arg_max(unit, last_time) FILTER (WHERE unit IS NOT NULL), max(unit)) AS unit,
       min(first_time) AS first_time, max(last_time) AS last_time, CAST(sum(rows) AS BIGINT) AS rows
FROM (
    SELECT site, device, name, unit,
           min(time) FILTER (WHERE clock IS DISTINCT FROM 'odd') AS first_time,
           max(time) FILTER (WHERE clock IS DISTINCT FROM 'odd') AS last_time, count(*) AS rows
    FROM ({readings}) GROUP BY site, device, name, unit{kept}
)
GROUP BY site, device, name
"""  # noqa: S608 - ours


def derived(name: str, parts: Iterable[str]) -> str:
    """The view of a derived table."""
    selects = " UNION ALL BY NAME ".join(f"SELECT * FROM {part}" for part in parts)  # noqa: S608 - ours
    quoted = name.replace('"', '""')
    return f'CREATE VIEW "{LAKE}"."{quoted}" AS {selects}'


def readings(parts: Iterable[str]) -> str:
    """The view over its parts: table functions or registered names."""
    selects = " UNION ALL ".join(f"SELECT {COLUMNS} FROM {part}" for part in parts)  # noqa: S608 - ours
    return f"CREATE VIEW readings AS {selects}"


def parquet(paths: Iterable[str], *, by_name: bool = False) -> str:
    """Local files as a part; folders are named ``site=…`` and must not become columns."""
    quoted = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
    more = ", union_by_name = true" if by_name else ""
    return f"read_parquet([{quoted}], hive_partitioning = false{more})"
