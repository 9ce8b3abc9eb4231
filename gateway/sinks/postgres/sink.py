"""The PostgreSQL sink: one transaction a delivery, and what each failure means for its readings.

1. lock the ledger's rows of these streams, and leave out what has been written before
2. COPY the rest into the table
3. write the ranges down, COMMIT

=================================  ==============================================================
what happens                       verdict
=================================  ==============================================================
COMMIT                             accept
a NUL character                    reject before it is sent: PostgreSQL cannot hold it
SQLSTATE 22, 23, 44, P0            reject: some row breaks a type, a constraint or a trigger of the
                                   user's; found by halves, in savepoints of the same transaction
any other, silence, no connection  keep
=================================  ==============================================================

A delivery that is repeated refuses the same readings again: the ledger does not have them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import psycopg

from gateway.consumer import Rejected
from gateway.feed import Entry
from gateway.sinks.columns import Columns, gather
from gateway.sinks.port import Sink
from gateway.sinks.postgres import rows
from gateway.sinks.postgres.config import PostgresSettings
from gateway.sinks.postgres.connection import Connection
from gateway.sinks.postgres.ledger import Ledger, new, streams
from gateway.sinks.search import ACCEPTED, Items, Refusal, Result, deliver, halves
from headrace.errors import SinkUnavailable
from headrace.limits.sinks import SINK_MAX_PROBES
from headrace.tls_hints import tls_hint

_REFUSES: Final = ("22", "23", "44", "P0")

_HINTS: Final = {
    "28P01": "check user and password_file",
    "28000": "check user, and the server's pg_hba.conf",
    "3D000": "create the database, or correct dbname",
    "3F000": "create the schema",
    "42501": "grant this user CREATE on the schema, or create the tables and grant SELECT, INSERT, UPDATE",
    "42703": "the table was not made by this sink: rename it, or set table",
    "42P01": "create the tables (README.md), or set create = true",
}


class PostgresSink(Sink):
    """Writes readings to PostgreSQL, one row a reading, each once.

    Args:
        site: the column ``site`` of every row.
    """

    def __init__(self, settings: PostgresSettings, *, site: str) -> None:
        self._site = site
        self._connection = Connection(settings)
        self._ledger = Ledger(settings.table)
        self._copy = f"COPY {settings.table} ({rows.COLUMNS}) FROM STDIN (FORMAT binary)"

    def write(self, entries: Sequence[Entry]) -> Sequence[Rejected]:
        columns = gather(entries)
        good = rows.storable(columns)
        rejected = columns.rejections(~good, "bad_text", "PostgreSQL cannot hold a NUL character")
        try:
            with self._connection.transaction() as cursor:
                known = self._ledger.lock(cursor, streams(columns.entries))
                wanted = columns.take(good & new(columns, known))
                refused = self._insert(cursor, wanted)
                self._ledger.write(cursor, wanted, refused)
        except psycopg.Error as error:
            raise _unavailable(error) from error
        return [*rejected, *wanted.refusals(refused)]

    def probe(self) -> str:
        try:
            with self._connection.transaction() as cursor:
                self._ledger.lock(cursor, [])
                version = cursor.connection.info.server_version
        except psycopg.Error as error:
            raise _unavailable(error) from error
        return f"PostgreSQL {version // 10_000} with the tables"

    def close(self) -> None:
        self._connection.close()

    def _insert(self, cursor: psycopg.Cursor[Any], wanted: Columns) -> list[Refusal]:
        """Copy readings; the parts that the server refuses."""
        if not len(wanted):
            return []
        encoded = rows.encode(wanted, self._site)
        self._connection.give_time(cursor, encoded.nbytes)

        def attempt(items: Items) -> Result:
            try:
                with cursor.connection.transaction(), cursor.copy(self._copy) as copy:
                    copy.write(rows.HEADER)
                    copy.write(rows.body(encoded, items))
                    copy.write(rows.TRAILER)
            except psycopg.Error as error:
                if not (error.sqlstate or "").startswith(_REFUSES):
                    raise
                return halves(items, str(error))
            return ACCEPTED

        return deliver(np.arange(len(wanted)), attempt, most=SINK_MAX_PROBES)


def _unavailable(error: psycopg.Error) -> SinkUnavailable:
    state = error.sqlstate or ""
    text = " ".join(str(error).split()) or type(error).__name__
    if "password authentication failed" in text:  # libpq gives no state to a refused connection
        state = state or "28P01"
    hint = _HINTS.get(state, "") or tls_hint(text, ca="conninfo (sslrootcert=…)")
    said = f"{state} {text[:300]}".strip()
    return SinkUnavailable(f"PostgreSQL: {said}", hint=hint)
