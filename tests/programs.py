"""The three programs as processes, with configuration written by the test."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.servers import free_port, stop_process, wait_until


@dataclass
class Program:
    """One program that may be started, killed and started again."""

    module: str
    config: Path
    log: Path
    process: subprocess.Popen[bytes] | None = None
    kills: int = 0

    @property
    def argv(self) -> list[str]:
        return [sys.executable, "-m", self.module, "run", "--config", str(self.config)]

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.argv, stdout=log, stderr=subprocess.STDOUT)

    def kill(self) -> None:
        """SIGKILL: nothing is flushed, closed or said."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.kills += 1

    def stop(self, grace_s: float = 20.0) -> int:
        """SIGTERM, and the exit status."""
        assert self.process is not None
        stop_process(self.process, grace_s)
        return int(self.process.returncode)

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def output(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""


@dataclass
class Programs:
    """Makes programs below one folder and ends those that are left."""

    folder: Path
    made: list[Program] = field(default_factory=list)

    def make(self, module: str, config: str, name: str = "") -> Program:
        name = name or module
        path = self.folder / f"{name}.toml"
        path.write_text(config, encoding="utf-8")
        program = Program(module, path, self.folder / f"{name}.log")
        self.made.append(program)
        return program

    def close(self) -> None:
        for program in self.made:
            if program.running:
                program.kill()


@dataclass
class Gateway:
    """A gateway process and where it listens."""

    program: Program
    data: Path
    mqtt_port: int
    http_port: int

    @property
    def journal(self) -> Path:
        return self.data / "journal.db"

    def start(self) -> None:
        self.program.start()
        wait_until(self.answers, 90, f"gateway answers:\n{self.program.output()[-2000:]}")

    def wait_ready(self) -> None:
        wait_until(self.is_ready, 90, "gateway is ready")

    def answers(self) -> bool:
        assert self.program.running, self.program.output()[-3000:]
        return self._status("healthz") == 200

    def is_ready(self) -> bool:
        return self._status("readyz") == 200

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(
            f"http://127.0.0.1:{self.http_port}/{path}", timeout=5
        ) as reply:
            body = reply.read()
        return json.loads(body) if path.startswith(("api", "readyz")) else body.decode()

    def metric(self, line_start: str) -> float:
        """The value of the metric line that begins so; 0 when there is none."""
        for line in self.get("metrics").splitlines():
            if line.startswith(line_start + " "):
                return float(line.rsplit(" ", 1)[1])
        return 0.0

    def _status(self, path: str) -> int:
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.http_port}/{path}", timeout=5
            ) as reply:
                return int(reply.status)
        except urllib.error.HTTPError as error:
            return int(error.code)
        except OSError:
            return 0


def make_gateway(
    programs: Programs,
    *,
    kind: str = "embedded",
    mqtt_port: int | None = None,
    data: Path | None = None,
    extra: Sequence[str] = (),
    console: bool = False,
    journal: str = "",
    broker: str = "",
) -> Gateway:
    """A gateway that is configured and not started."""
    mqtt, http = mqtt_port or free_port(), free_port()
    data = data or programs.folder / "gateway"
    config = f"""
site = "site-1"
data_dir = "{data}"
[broker]
kind = "{kind}"
port = {mqtt}
{broker}
[http]
port = {http}
console = {str(console).lower()}
[journal]
{journal}
"""
    text = config + "\n".join(extra)
    return Gateway(programs.make("gateway", text), data, mqtt, http)
