"""serve.toml: what is asked, where the server listens, for whom, and what one question may cost.

Tables ``[journal]`` and ``[lake]`` are those of cloud_sync.toml.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Final

from msgspec import Meta

from headrace import config
from headrace.config import FaultList
from headrace.errors import UsageError
from headrace.lake import config as lake_config
from headrace.limits.query import (
    SERVE_MAX_MEMORY_MB,
    SERVE_MAX_QUERIES,
    SERVE_MAX_ROWS,
    SERVE_MAX_SECONDS,
    SERVE_SPILL_MB,
)
from headrace.logs import LogConfig
from headrace.query.config import Place
from headrace.serve.frames import Source

DEFAULT_FILE: Final = "serve.toml"

Port = Annotated[int, Meta(ge=1, le=65_535)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Serve:
    """``[serve]``. ``plain``: without TLS on other addresses too, because a proxy in front has it."""

    host: str = "127.0.0.1"
    port: Port = 8088
    token_file: Path | None = None
    certfile: Path | None = None
    keyfile: Path | None = None
    plain: bool = False
    max_queries: Annotated[int, Meta(ge=1, le=64)] = SERVE_MAX_QUERIES
    max_seconds: Annotated[float, Meta(ge=0.1, le=3_600)] = SERVE_MAX_SECONDS
    max_rows: Annotated[int, Meta(ge=1)] = SERVE_MAX_ROWS
    max_memory_mb: Annotated[int, Meta(ge=64, le=1_048_576)] = SERVE_MAX_MEMORY_MB
    spill_mb: Annotated[int, Meta(ge=0)] = SERVE_SPILL_MB
    threads: Annotated[int, Meta(ge=1, le=256)] = 2

    @property
    def is_local(self) -> bool:
        """Whether only this machine can ask."""
        return is_loopback(self.host)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeFile:
    """The whole file."""

    journal: lake_config.Journal = field(default_factory=lake_config.Journal)
    lake: lake_config.Lake = field(default_factory=lake_config.Lake)
    serve: Serve = field(default_factory=Serve)
    log: LogConfig = field(default_factory=LogConfig)

    @property
    def place(self) -> Place:
        return Place(self.lake, self.journal.path)


def load(path: Path) -> ServeFile:
    """Read and validate the file.

    Raises:
        ConfigError: with every fault.
    """
    return config.load(path, ServeFile, check=check)


def choose(path: Path | None, data: Path | None, port: int | None) -> tuple[ServeFile, Source]:
    """The settings that options name, and where a worker finds them again.

    Raises:
        UsageError: options that exclude each other.
        ConfigError: with every fault.
    """
    if path is not None and (data is not None or port is not None):
        raise UsageError("--config excludes --data and --port", hint="set serve.port there")
    if path is not None or data is None:
        file = path or Path(DEFAULT_FILE)
        return load(file), Source(config=str(file.absolute()))
    settings = for_data(data)
    if port is not None:
        settings = replace(settings, serve=replace(settings.serve, port=port))
    return settings, Source(data=str(data.absolute()))


def for_data(folder: Path) -> ServeFile:
    """The settings of a data folder, for this machine.

    Raises:
        UsageError: it is not there.
    """
    if not folder.is_dir():
        raise UsageError(f"no data folder {folder}", hint="name one with --data, or run the demo")
    journal, lake = lake_config.for_data(folder)
    return ServeFile(journal=journal, lake=lake)


def check(value: ServeFile, found: FaultList) -> None:
    """Faults between keys."""
    lake_config.check(value.lake, found)
    check_serve(value.serve, found)


def check_serve(serve: Serve, found: FaultList) -> None:
    """Faults of ``[serve]``: who may ask, and whether others can listen."""
    if (serve.certfile is None) != (serve.keyfile is None):
        found.add("serve.certfile", "certfile and keyfile belong together; one is missing")
    for key in ("token_file", "certfile", "keyfile"):
        path = getattr(serve, key)
        if path is not None and not path.is_file():
            found.add(f"serve.{key}", f"no such file: {path}")
    if serve.is_local:
        return
    if serve.token_file is None:
        found.add(
            "serve.token_file",
            f"missing; on {serve.host} anybody who reaches it could read the lake",
        )
    if serve.certfile is None and not serve.plain:
        found.add(
            "serve.certfile",
            f"tokens and readings would cross the network in plain text on {serve.host}; name a "
            "certificate, or set plain = true where a proxy in front has one",
        )


def is_loopback(host: str) -> bool:
    """Whether the address means this machine only."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
