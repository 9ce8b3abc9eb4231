"""PostgreSQL and TimescaleDB.

Reading order: ``config``, ``schema`` (the tables), ``rows`` (columns to COPY's binary format),
``ledger`` (which readings are there), ``patience`` (silence, not slowness), ``connection``, ``sink`` (one
transaction a delivery).
"""

from gateway.sinks.port import Sink
from gateway.sinks.postgres.config import PostgresSettings, check
from headrace.plugins import Plugin


def build(settings: PostgresSettings, *, site: str) -> Sink:
    """A sink for these settings."""
    # Imported here: psycopg is an extra, and check-config must be able to say that it is missing.
    from gateway.sinks.postgres.sink import PostgresSink

    return PostgresSink(settings, site=site)


PLUGIN = Plugin(__name__, PostgresSettings, build, check)
