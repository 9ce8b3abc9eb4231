"""What the three programs share: the contract between device, gateway and lake.

Reading order:

- ``errors``    the exception tree
- ``limits``    every bound, its default and its reason
- ``clock``     the clock port
- ``batch``     batch identity (device, stream, seq) and its validation
- ``ranges``    sets of sequence numbers as ranges
- ``pki``       names, codes and messages of enrolment
- ``topics``    MQTT topics of the wire contract
- ``wire``      acks, nacks, device state and Arrow metadata keys
- ``units``     the SenML unit registry
- ``derived``   names and texts of scores and alerts
- ``config``    typed TOML configuration, all faults at once
- ``cards``     model cards: what a .tflite file expects
- ``models``    signed model repository: manifest, assignments, verifying client
- ``plugins``   the one loader of inputs and sinks
- ``memory``    the C allocator of programs that move columns
- ``metrics``   every metric, in one table; ``metrics_guide``: what to do when one moves
- ``http_guard``  what a connection may do before there is a request (needs uvicorn: not for the agent)
- ``openapi``   what the paths of an HTTP interface are (needs starlette: not for the agent)
- ``tls_hints``  what to do about a TLS connection that failed
- ``health``    asking a program on this machine whether it works
- ``codecs``    payload formats to Arrow columns (needs pyarrow: not for the agent)
- ``damage``    what a damaged journal costs: rows, and never those behind them
- ``sqlite``    what sqlite3 raises, as our errors
- ``journal``   the gateway journal's file format and its readers
- ``decodable``   rows that do not decode, as damaged ones (needs pyarrow: not for the agent)
- ``buffer_log``  the commit log beside an agent's buffer file, and how it is read
- ``buffer_stats``  counts of an agent's buffer file
- ``tracing``   what programs share that send spans
- ``landing``   names and manifests of the landing zone
- ``resend``    how a registrar asks a site for a damaged landing
- ``lake``      object store, catalogue and columns of the lake (needs pyarrow: not for the agent)
- ``query``     SQL over lake, landing zone and journal tail
- ``serve``     the same by HTTP, read-only (needs starlette and uvicorn: not for the agent)
- ``catalog``   what the lake's tables and columns mean, and `headrace catalog` (not for the agent)
- ``quality``   the page about how good readings are (not for the agent)
- ``client``    the same from Python: what ``headrace.connect`` opens
- ``grafana``   dashboards and what makes Grafana show them
- ``demo``      the whole system on one machine
- ``cli``       the ``headrace`` command
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from headrace.client.connection import Connection

__version__ = "0.1.0"


def connect(
    place: str | Path | None = None, *, config: str | Path | None = None,
    lake: str | Path | None = None, token: str | None = None, ca_file: str | Path | None = None,
) -> Connection:  # fmt: skip
    """A connection for questions to a lake, wherever it is.

    Args:
        place: a data folder (default: ``headrace-data``), a ``cloud_sync.toml``, or the address of a
            ``headrace serve`` (``"https://lake.example:8088"``).
        config: a ``cloud_sync.toml``. lake: a lake's folder alone.
        token, ca_file: for an address: the token, and the CA where the system does not know it.

    Raises:
        UsageError: they exclude each other, the place is not there, or a package is missing.
        ConfigError: the file has faults.

    Example::

        with headrace.connect("headrace-data") as lake:
            table = lake.readings("pump-1", ["flow", "pressure"], start="2026-11-23").to_pandas()
    """
    # Imported here: every program imports this package, and a device has neither Arrow nor DuckDB.
    from headrace.client.opening import connect as opened

    return opened(place, config=config, lake=lake, token=token, ca_file=ca_file)
