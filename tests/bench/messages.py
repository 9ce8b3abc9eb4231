"""One reading a message: a crowd of devices through mosquitto into the journal, each acknowledged."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from headrace.journal import JournalReader
from tests.bench.meter import Usage, difference, usage
from tests.programs import Programs, make_gateway
from tests.servers.mosquitto import mosquitto


@dataclass(frozen=True, slots=True)
class MessagesResult:
    """``p50_ms`` and ``p99_ms``: from publish to the gateway's ack, with a full window."""

    devices: int
    messages: int
    seconds: float
    p50_ms: float
    p99_ms: float
    lost: int
    processes: dict[str, Usage]


def run_messages(folder: Path, *, devices: int, each: int, window: int) -> MessagesResult:
    """Start everything, let the crowd send, measure."""
    programs = Programs(folder)
    with mosquitto(folder, persistence=False) as broker:
        gateway = make_gateway(
            programs, kind="external", mqtt_port=broker.port, extra=["[vitals]\nenabled = false"]
        )
        gateway.start()
        gateway.wait_ready()
        try:
            assert gateway.program.process is not None
            pids = {"gateway": gateway.program.process.pid, "mosquitto": broker.pid}
            numbers = map(str, (broker.port, devices, each, window))
            with subprocess.Popen(
                [sys.executable, "-m", "tests.bench.crowd", *numbers],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            ) as crowd:  # fmt: skip
                assert crowd.stdin is not None
                assert crowd.stdout is not None
                assert crowd.stdout.readline().strip() == "ready"
                before = {name: usage(pid) for name, pid in pids.items()}
                crowd.stdin.write("\n")
                crowd.stdin.flush()
                found = json.loads(crowd.stdout.readline())
            used = {name: difference(usage(pid), before[name]) for name, pid in pids.items()}
            used["devices"] = Usage(found["cpu_s"], 0.0, 0.0, 0)
            with JournalReader(gateway.journal) as reader:
                lost = found["messages"] - reader.counts()["readings"]
        finally:
            programs.close()
    return MessagesResult(
        devices, found["messages"], found["seconds"], found["p50_ms"], found["p99_ms"], lost, used
    )
