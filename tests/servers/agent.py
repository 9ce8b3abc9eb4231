"""The real ``edge-agent`` as a process, and the configuration that it is started with."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers import stop_process

AGENT = (sys.executable, "-m", "edge_agent")


def write_agent_config(
    folder: Path,
    *,
    port: int,
    inputs: str,
    device: str = "pump-1",
    buffer: str = "",
    uplink: str = "",
) -> Path:
    """An ``agent.toml`` in ``folder`` whose buffer is ``folder/buffer.db``."""
    path = folder / "agent.toml"
    path.write_text(
        f'device = "{device}"\n[buffer]\npath = "{folder / "buffer.db"}"\n{buffer}\n'
        f"[uplink]\nport = {port}\n{uplink}\n{inputs}\n",
        encoding="utf-8",
    )
    return path


@contextmanager
def agent(config: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the agent while the block lasts; its log is ``agent.log`` beside the configuration."""
    with (config.parent / "agent.log").open("ab") as log:
        process = subprocess.Popen([*AGENT, "run", "-c", str(config), *arguments], stderr=log)
    try:
        yield process
    finally:
        stop_process(process)


def log_of(config: Path) -> str:
    """What the agent has said so far."""
    return (config.parent / "agent.log").read_text(encoding="utf-8")
