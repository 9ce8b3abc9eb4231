"""Settings of the PostgreSQL sink."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from gateway.sinks.config import OddTimes, SinkSettings
from headrace.config import FaultList
from headrace.limits.sinks import POSTGRES_TIMEOUT_S

#: Lower case, so that nobody has to quote it in SQL.
TABLE_PATTERN = r"^([a-z_][a-z0-9_]{0,40}\.)?[a-z_][a-z0-9_]{0,40}$"


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresSettings(SinkSettings):
    """``[[sinks]] plugin = "postgres"``; see sample.toml for what to change when."""

    conninfo: str = "host=127.0.0.1 dbname=headrace user=headrace"
    password_file: Path | None = None
    table: Annotated[str, Meta(pattern=TABLE_PATTERN)] = "readings"
    create: bool = True
    hypertable: bool = True
    timeout_s: Annotated[float, Meta(ge=1, le=600)] = POSTGRES_TIMEOUT_S
    odd_times: OddTimes = "hold"

    @property
    def holds_odd_times(self) -> bool:
        return self.odd_times == "hold"


def check(settings: PostgresSettings, key: str, found: FaultList) -> None:
    """Add what single fields cannot say."""
    found.add_missing_files(settings, key, "password_file")
    if find_spec("psycopg") is None:
        found.add(f"{key}.plugin", "needs psycopg; pip install 'headrace[postgres]'")
        return
    from psycopg import Error
    from psycopg.conninfo import conninfo_to_dict

    try:
        given = conninfo_to_dict(settings.conninfo)
    except Error as error:
        found.add(f"{key}.conninfo", f"not a connection string of libpq: {error}")
        return
    if "password" in given:
        found.add(f"{key}.conninfo", "holds a password; put it into a file, see password_file")
