"""A gateway that takes readings by HTTP, and who sends them."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headrace import codecs
from headrace.journal import JournalReader
from tests.programs import Gateway, Programs, make_gateway
from tests.servers import free_port, wait_until


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request got."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def message(self) -> str:
        return str(json.loads(self.body)["message"])


@dataclass
class Site:
    """A gateway and its ingest's port."""

    gateway: Gateway
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.gateway.start()
        wait_until(self.answers, 30, "the ingest answers")

    def answers(self) -> bool:
        try:
            return self.request("GET", "/ping").status == 204
        except OSError:
            return False

    def command(self, *words: str) -> str:
        """``gateway token …`` beside the running gateway."""
        done = subprocess.run(
            [sys.executable, "-m", "gateway", *words, "--config", str(self.gateway.program.config)],
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def token(self, devices: str = "pump-1", *options: str) -> str:
        return self.command("token", "add", devices, *options)

    def request(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, dict(headers or {}))
            reply = connection.getresponse()
            names = {name.lower(): value for name, value in reply.getheaders()}
            return Answer(reply.status, names, reply.read())
        finally:
            connection.close()

    def write(self, token: str, body: bytes, path: str = "/api/v2/write", **headers: str) -> Answer:
        """POST with a token; header names with underscores."""
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.request("POST", path, body, {"Authorization": f"Token {token}", **more})

    def readings(self) -> list[tuple[str, str, int, Any]]:
        """(device, name, time in microseconds, value or text) of all that devices have sent."""
        found: list[tuple[str, str, int, Any]] = []
        for row in self.rows():
            rows = codecs.decode(row.format, row.payload, row.received_at).rows
            columns = rows.to_pydict()
            times = rows.column("time").cast("int64").to_pylist()
            for name, time, value, text in zip(
                columns["name"], times, columns["value"], columns["text"], strict=True
            ):
                if not name.startswith("gateway/"):  # what the gateway says of the device
                    found.append((row.device, name, time, text if value is None else value))
        return found

    def rows(self) -> list[Any]:
        with JournalReader(self.gateway.journal) as reader:
            rows = reader.read(0, max_rows=10**9, max_bytes=10**9)
        return [row for row in rows if not row.device.startswith("gateway-")]

    def quarantine(self) -> dict[str, int]:
        with JournalReader(self.gateway.journal) as reader:
            return reader.quarantine_reasons()


def make_site(programs: Programs, *, ingest: str = "", extra: str = "", **options: Any) -> Site:
    """Configured and not started."""
    port = free_port()
    section = f"[vitals]\nenabled = false\n[ingest.http]\nenabled = true\nport = {port}\n{ingest}\n"
    return Site(make_gateway(programs, extra=[section + extra], **options), port)


@contextmanager
def http_site(folder: Path, **options: Any) -> Iterator[Site]:
    """A running one, for the block."""
    programs = Programs(folder)
    try:
        site = make_site(programs, **options)
        site.start()
        yield site
    finally:
        programs.close()
