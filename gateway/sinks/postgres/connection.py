"""One connection, made when it is needed, and a deadline for what is done with it.

libpq waits for an answer as long as TCP does, which is for ever when a firewall has forgotten the
connection. ``statement_timeout`` ends what the server is busy with; the deadline here shuts the socket
down under libpq when nobody answers, which then reports a lost connection. What had become of the
transaction does not matter: the ledger says it at the next attempt.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from gateway.sinks.postgres import schema
from gateway.sinks.postgres.config import PostgresSettings
from gateway.sinks.secret import read_secret
from headrace.errors import SinkError, SinkUnavailable

#: How much later than the server's own timeout the socket is shut down.
_GRACE_S = 0.5


class Connection:
    """A connection to the database, with the tables made."""

    def __init__(self, settings: PostgresSettings) -> None:
        self._settings = settings
        self._db: psycopg.Connection[Any] | None = None

    @contextmanager
    def transaction(self) -> Iterator[psycopg.Cursor[Any]]:
        """A transaction that is committed, durably, when the block ends.

        Raises:
            psycopg.Error: rolled back, or nobody knows; the connection is closed.
        """
        try:
            db = self._db = self._db or self._open()
            given_s = self._settings.timeout_s + _GRACE_S
            with deadline(db, given_s), db.transaction(), db.cursor() as cursor:
                yield cursor
        except (psycopg.Error, OSError):
            self.close()
            raise

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def _open(self) -> psycopg.Connection[Any]:
        settings = self._settings
        password = read_secret(settings.password_file)
        db = psycopg.connect(
            make_conninfo(settings.conninfo, **({"password": password} if password else {})),
            autocommit=True, application_name="headrace", client_encoding="utf8",
            connect_timeout=max(2, round(settings.timeout_s)),
        )  # fmt: skip
        try:
            self._prepare(db)
        except (psycopg.Error, SinkError):
            db.close()
            raise
        return db

    def _prepare(self, db: psycopg.Connection[Any]) -> None:
        if db.info.server_version < schema.MIN_SERVER:
            raise SinkUnavailable(
                f"PostgreSQL {db.info.server_version // 10_000} is too old; expected 14 or newer"
            )
        db.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
        timeout_s = self._settings.timeout_s
        with deadline(db, timeout_s + _GRACE_S), db.transaction(), db.cursor() as cursor:
            timeout = f"{round(timeout_s * 1_000)}ms"
            cursor.execute("SELECT set_config('statement_timeout', %s, false)", (timeout,))
            # A transaction whose gateway is gone must not hold the ledger's rows until TCP notices.
            cursor.execute(
                "SELECT set_config('idle_in_transaction_session_timeout', %s, false)", (timeout,)
            )
            # An accepted reading is on disk there, also where the server's default is otherwise.
            cursor.execute(
                "SELECT set_config('synchronous_commit', 'on', false) "
                "WHERE current_setting('synchronous_commit') = 'off'"
            )
            if self._settings.create:
                schema.create(cursor, self._settings.table, hypertable=self._settings.hypertable)


@contextmanager
def deadline(db: psycopg.Connection[Any], seconds: float) -> Iterator[None]:
    """Shut the connection's socket down unless the block ends in time."""
    twin = os.dup(db.fileno())
    timer = threading.Timer(seconds, _shut_down, (twin,))
    timer.name = "postgres-deadline"
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        os.close(twin)


def _shut_down(descriptor: int) -> None:
    with socket.socket(fileno=os.dup(descriptor)) as twin, suppress(OSError):  # closed meanwhile
        twin.shutdown(socket.SHUT_RDWR)
