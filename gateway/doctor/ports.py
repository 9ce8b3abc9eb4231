"""Who listens where, from /proc, as far as this user may see."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gateway.config import GatewayConfig
from gateway.doctor.finding import Finding, fail, ok

_LISTENS: Final = "0A"


def wanted(config: GatewayConfig) -> dict[str, int]:
    """The ports that this gateway listens on, by the key that names them."""
    found: dict[str, int] = {}
    if config.broker.kind == "embedded":
        found["broker.port"] = config.broker.port
        if config.broker.websocket.port is not None:
            found["broker.websocket.port"] = config.broker.websocket.port
    if config.http.enabled:
        found["http.port"] = config.http.port
    if config.enrol.enabled:
        found["enrol.port"] = config.enrol.port
    if config.ingest.http.enabled:
        found["ingest.http.port"] = config.ingest.http.port
    if config.model_repository.enabled and config.model_repository.mirror.port:
        found["model_repository.mirror.port"] = config.model_repository.mirror.port
    return found


def check(config: GatewayConfig, pid: int | None) -> Iterator[Finding]:
    """Free, or taken by the gateway itself (``pid``), or by somebody else."""
    listening = _inodes()
    for key, port in wanted(config).items():
        owner = _owner(listening[port]) if port in listening else None
        if port not in listening:
            yield (
                ok("port", f"{port} ({key}) is free")
                if pid is None
                else fail(
                    "port", f"{port} ({key}): the running gateway does not listen", "see its log"
                )
            )
        elif pid is not None and owner in (None, pid):
            yield ok("port", f"{port} ({key}) is the gateway's")
        else:
            by = f"pid {owner} ({_name(owner)})" if owner is not None else "another user's process"
            yield fail("port", f"{port} ({key}) is taken by {by}", f"stop that, or change {key}")


def _inodes() -> dict[int, str]:
    """The socket of each port that somebody listens on."""
    found: dict[int, str] = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        path = Path(table)
        rows = path.read_text(encoding="ascii").splitlines()[1:] if path.exists() else []
        for row in rows:
            columns = row.split()
            if columns[3] == _LISTENS:
                found[int(columns[1].rpartition(":")[2], 16)] = columns[9]
    return found


def _owner(inode: str) -> int | None:
    """The process that has a socket open; None when we may not see it."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            handles = list((process / "fd").iterdir())
        except OSError:
            continue
        for handle in handles:
            try:
                if str(handle.readlink()) == f"socket:[{inode}]":
                    return int(process.name)
            except OSError:
                continue  # closed meanwhile
    return None


def _name(pid: int) -> str:
    try:
        return (Path("/proc") / str(pid) / "comm").read_text(encoding="utf-8").strip()
    except OSError:
        return "?"
