"""Settings of the HTTP ingest, ``[ingest.http]`` in gateway.toml."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Protocol

from msgspec import Meta

from gateway.broker.config import is_loopback
from headrace.config import FaultList

Port = Annotated[int, Meta(ge=1, le=65535)]


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpIngestConfig:
    """The listener for readings.

    ``tls``: on, except on 127.0.0.1. ``certfile``, ``keyfile``: by default those that the site's own CA
    makes. ``device_tag``: whose readings lines are, where a token may write for many devices.
    """

    enabled: bool = False
    host: str = "127.0.0.1"
    port: Port = 8087
    tls: bool | None = None
    certfile: Path | None = None
    keyfile: Path | None = None
    device_tag: str = ""

    @property
    def uses_tls(self) -> bool:
        return self.tls if self.tls is not None else not is_loopback(self.host)

    @property
    def with_site_certificate(self) -> bool:
        """Whether the site's CA is asked for one."""
        return self.enabled and self.uses_tls and self.certfile is None


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestConfig:
    """``[ingest]``: ways in beside the broker."""

    http: HttpIngestConfig = field(default_factory=HttpIngestConfig)


def check_ingest(config: IngestConfig, found: FaultList) -> None:
    """What single fields cannot say."""
    http = config.http
    check_files(http, "ingest.http", found)
    if http.enabled and not http.uses_tls and not is_loopback(http.host):
        found.add(
            "ingest.http.tls",
            f"tokens would cross the network in plain text on {http.host}; leave tls out, or listen "
            "on 127.0.0.1 behind a reverse proxy with TLS",
        )


class _Files(Protocol):
    """A listener's certificate."""

    @property
    def certfile(self) -> Path | None: ...
    @property
    def keyfile(self) -> Path | None: ...


def check_files(config: _Files, table: str, found: FaultList) -> None:
    """Both or none, and there."""
    if (config.certfile is None) != (config.keyfile is None):
        found.add(f"{table}.certfile", "certfile and keyfile belong together; one is missing")
    found.add_missing_files(config, table, "certfile", "keyfile")
