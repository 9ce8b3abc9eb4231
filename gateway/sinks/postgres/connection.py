"""One connection, made when it is needed, and how long it may take.

``statement_timeout`` ends what the server is busy with, and a server that is silent is given up
(``patience``). What had become of the transaction does not matter: the ledger says it at the next
attempt.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg.conninfo import make_conninfo

from gateway.sinks.postgres import schema
from gateway.sinks.postgres.config import PostgresSettings
from gateway.sinks.postgres.patience import PatientConnection
from gateway.sinks.secret import read_secret
from headrace.errors import SinkError, SinkUnavailable
from headrace.limits.sinks import POSTGRES_KEEPALIVE, POSTGRES_THIN_LINE_BYTES_PER_S

#: How much later than the server's own timeout a silent server is given up.
_GRACE_S: Final = 0.5

_SET: Final = (
    "SELECT set_config(name, value, %s) FROM unnest(%s::text[], %s::text[]) AS s (name, value)"
)


class Connection:
    """A connection to the database, with the tables made."""

    def __init__(self, settings: PostgresSettings) -> None:
        self._settings = settings
        self._db: PatientConnection | None = None

    @contextmanager
    def transaction(self) -> Iterator[psycopg.Cursor[Any]]:
        """A transaction that is committed, durably, when the block ends.

        Raises:
            psycopg.Error: rolled back, or nobody knows; the connection is closed.
        """
        try:
            db = self._db = self._db or self._open()
            with db.transaction(), db.cursor() as cursor:
                yield cursor
        except (psycopg.Error, OSError):
            self.close()
            raise

    def give_time(self, cursor: psycopg.Cursor[Any], size: int) -> None:
        """Let the server wait for a COPY of so many bytes as long as a thin line takes for them."""
        line_s = size / POSTGRES_THIN_LINE_BYTES_PER_S
        timeout_s = self._settings.timeout_s
        if (
            line_s > timeout_s / 2
        ):  # a line that is not thin has time enough; it is one question less
            cursor.execute(_SET, (True, ["statement_timeout"], [_ms(timeout_s + line_s)]))

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def _open(self) -> PatientConnection:
        settings = self._settings
        password = read_secret(settings.password_file)
        db = PatientConnection.connect(
            make_conninfo(settings.conninfo, **({"password": password} if password else {})),
            autocommit=True, application_name="headrace", client_encoding="utf8",
            connect_timeout=max(2, round(settings.timeout_s)),
        )  # fmt: skip
        db.silence_s = settings.timeout_s + _GRACE_S
        try:
            self._prepare(db)
        except (psycopg.Error, SinkError):
            db.close()
            raise
        return db

    def _prepare(self, db: PatientConnection) -> None:
        if db.info.server_version < schema.MIN_SERVER:
            raise SinkUnavailable(
                f"PostgreSQL {db.info.server_version // 10_000} is too old; expected 14 or newer"
            )
        db.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
        with db.transaction(), db.cursor() as cursor:
            wanted = _session(_ms(self._settings.timeout_s))
            cursor.execute(_SET, (False, list(wanted), list(wanted.values())))
            # An accepted reading is on disk there, also where the server's default is otherwise.
            cursor.execute(
                "SELECT set_config('synchronous_commit', 'on', false) "
                "WHERE current_setting('synchronous_commit') = 'off'"
            )
            if self._settings.create:
                schema.create(cursor, self._settings.table, hypertable=self._settings.hypertable)


def _session(timeout: str) -> dict[str, str]:
    """A transaction whose gateway is gone must not hold the ledger's rows until TCP notices by itself,
    which takes hours where the line has died under a COPY.
    """
    keepalive = {f"tcp_keepalives_{name}": str(at) for name, at in POSTGRES_KEEPALIVE.items()}
    return {
        "statement_timeout": timeout,
        "idle_in_transaction_session_timeout": timeout,
        **keepalive,
    }


def _ms(seconds: float) -> str:
    return f"{round(seconds * 1_000)}ms"
