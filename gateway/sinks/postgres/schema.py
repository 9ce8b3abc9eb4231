"""The tables: readings, and which readings are there.

``readings`` has the columns of the lake's table, so a query can move from one to the other. Its one
index serves "this series, that hour". It has no unique key: a key over (device, stream, seq) costs 2.4
times the server's CPU and a third more disk (README.md has the figures), cannot be enforced on a
compressed hypertable without unpacking it, and would say of each reading what ``<table>_written`` says
of a million in one row: the sequence numbers of a stream that have been written, as ranges. Both are
written in one transaction, so they cannot disagree.
"""

from __future__ import annotations

from typing import Any, Final

#: int8multirange.
MIN_SERVER: Final = 140_000

_READINGS: Final = """
CREATE TABLE IF NOT EXISTS {table} (
    site text NOT NULL,
    device text NOT NULL,
    name text NOT NULL,
    time timestamptz NOT NULL,
    value double precision,
    text text,
    unit text,
    stream text NOT NULL,
    seq bigint NOT NULL,
    received timestamptz NOT NULL
)"""
_INDEX: Final = "CREATE INDEX IF NOT EXISTS {name}_series ON {table} (device, name, time)"
_WRITTEN: Final = """
CREATE TABLE IF NOT EXISTS {table}_written (
    device text NOT NULL,
    stream text NOT NULL,
    seqs int8multirange NOT NULL DEFAULT '{{}}',
    PRIMARY KEY (device, stream)
)"""
_HAS_TIMESCALE: Final = "SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'"
_HYPERTABLE: Final = (
    "SELECT create_hypertable('{table}', 'time', if_not_exists => true, "
    "create_default_indexes => false, migrate_data => true)"
)

#: Two gateways that start at once must not both create: any constant that nobody else uses.
_LOCK: Final = "SELECT pg_advisory_xact_lock(4850321607)"


def create(cursor: Any, table: str, *, hypertable: bool) -> None:
    """Make what is missing; does nothing, and asks for no rights, where both tables are there."""
    cursor.execute("SELECT to_regclass(%s), to_regclass(%s)", (table, f"{table}_written"))
    if None not in cursor.fetchone():
        return
    cursor.execute(_LOCK)
    for statement in (_READINGS, _INDEX, _WRITTEN):
        cursor.execute(statement.format(table=table, name=table.split(".")[-1]))
    if hypertable and cursor.execute(_HAS_TIMESCALE).fetchone():
        cursor.execute(_HYPERTABLE.format(table=table))
