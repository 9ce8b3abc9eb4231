"""deploy/compose on stand-in images: brought up as its own depends_on says, by podman-compose.

podman without systemd schedules no health checks, so the order that an engine would keep is kept
here: read from compose.yaml, each service after those it depends on are healthy or done.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.containers.engine import ROOT, STAND_INS, TARGETS, Engine
from tests.servers import free_port, wait_until

#: Cannot be pulled and has no package: checked as text only.
LEFT_OUT = ("grafana",)


@dataclass
class Site:
    """One site of its own name, ports and volumes."""

    engine: Engine
    folder: Path
    project: str
    mqtt_port: int
    console_port: int
    enrol_port: int
    serve_port: int

    @property
    def services(self) -> dict[str, Any]:
        text = (self.folder / "compose.yaml").read_text(encoding="utf-8")
        services: dict[str, Any] = yaml.safe_load(text)["services"]
        return {name: service for name, service in services.items() if name not in LEFT_OUT}

    def container(self, service: str) -> str:
        return f"{self.project}_{service}_1"

    def compose(self, *words: str, timeout_s: float = 120) -> str:
        compose = Path(sys.executable).with_name("podman-compose")
        return self.engine.run(
            compose, "--project-name", self.project, "--profile", "demo", "--profile", "serve", *words,
            cwd=self.folder, timeout_s=timeout_s,
        ).stdout  # fmt: skip

    def up(self) -> list[str]:
        """Start everything; the order that health allowed."""
        order: list[str] = []
        while len(order) < len(self.services):
            for name, service in self.services.items():
                if name not in order and set(service.get("depends_on", {})) <= set(order):
                    self._start(name, once=service["restart"] == "on-failure")
                    order.append(name)
        return order

    def _start(self, name: str, *, once: bool) -> None:
        self.compose("up", "--detach", "--no-build", "--no-deps", name)
        if once:
            status = self.engine.podman("wait", self.container(name))
            assert status.splitlines()[-1] == "0", self.logs(name)
        elif name in {"mosquitto", "seaweedfs", "influxdb", "gateway", "cloud-sync", "serve"}:
            self.wait_healthy(name)

    def wait_healthy(self, name: str) -> None:
        wait_until(lambda: self.healthy(name), 60, f"{name} is healthy:\n{self.logs(name)}")

    def healthy(self, name: str) -> bool:
        done = self.engine.run("podman", "healthcheck", "run", self.container(name), check=False)
        return done.returncode == 0

    def logs(self, name: str) -> str:
        done = self.engine.run("podman", "logs", "--tail", "30", self.container(name), check=False)
        return done.stdout + done.stderr

    def exec(self, service: str, *words: str, check: bool = True) -> str:
        return self.engine.podman("exec", self.container(service), *words, check=check)

    def get(self, path: str) -> Any:
        """JSON from the gateway's published port."""
        with urllib.request.urlopen(
            f"http://127.0.0.1:{self.console_port}{path}", timeout=5
        ) as reply:
            return json.load(reply)

    def ask(self, sql: str, token: str = "") -> str:
        """Ask the lake by HTTP; JSON."""
        token = token or (self.folder / "secrets" / "serve_tokens").read_text().strip()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.serve_port}/api/v1/sql", data=sql.encode(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "text/plain"},
        )  # fmt: skip
        with urllib.request.urlopen(request, timeout=30) as reply:
            return str(reply.read().decode())

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Ask the lake, from the container that fills it."""
        text = self.exec(
            "cloud-sync", "headrace", "query", "--config", "/etc/headrace/cloud_sync.toml",
            "--format", "json", sql,
        )  # fmt: skip
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    def down(self) -> None:
        self.compose("down", "--volumes", "--timeout", "10")


def make_site(engine: Engine, root: Path, project: str) -> Site:
    """Copy deploy/compose, put ports and images of this test into its .env, and prepare it."""
    folder = root / "deploy" / "compose"
    ignore = shutil.ignore_patterns(".env", "config", "secrets")
    shutil.copytree(ROOT / "deploy" / "compose", folder, ignore=ignore)
    shutil.copytree(ROOT / "deploy" / "mosquitto", root / "deploy" / "mosquitto")
    site = Site(engine, folder, project, *(free_port() for _ in range(4)))
    settings = {
        "LISTEN_ADDRESS": "127.0.0.1",
        "MQTT_PORT": str(site.mqtt_port),
        "CONSOLE_PORT": str(site.console_port),
        "ENROL_PORT": str(site.enrol_port),
        "SERVE_PORT": str(site.serve_port),
        **{_variable(name): f"localhost/headrace-{name}:test" for name in TARGETS},
        **{_variable(name): f"localhost/headrace-test-{name}:1" for name in STAND_INS},
    }
    lines = (folder / ".env.example").read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if line.split("=")[0] not in settings]
    text = "\n".join([*kept, *(f"{k}={v}" for k, v in settings.items())]) + "\n"
    (folder / ".env").write_text(text, encoding="utf-8")
    subprocess.run(["sh", folder / "prepare.sh"], check=True, capture_output=True)
    config = folder / "config" / "cloud_sync.toml"
    config.write_text(config.read_text().replace("interval_s = 30.0", "interval_s = 1.0"))
    return site


def _variable(name: str) -> str:
    return name.upper().replace("-", "_") + "_IMAGE"
