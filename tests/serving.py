"""``headrace serve`` as a process over a small lake: what tests of the endpoint ask."""

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

from tests import lakes
from tests.journals import Journal, readings
from tests.servers import free_port, wait_until

TOKEN = "0123456789abcdef0123456789abcdef"


@dataclass
class Server:
    """A running server and what it is asked."""

    process: subprocess.Popen[bytes]
    port: int
    data: Path
    tokens: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self, method: str, path: str, body: str | bytes | None = None, **headers: str
    ) -> tuple[int, bytes, http.client.HTTPMessage]:
        """Status, body, headers; a header's name has ``_`` for ``-``."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        given = {"Authorization": f"Bearer {TOKEN}"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        try:
            connection.request(method, path, body, given)
            reply = connection.getresponse()
            return reply.status, reply.read(), reply.headers
        finally:
            connection.close()

    def sql(self, sql: str, **headers: str) -> tuple[int, Any]:
        status, body, _ = self.ask("POST", "/api/v1/sql", sql, Content_Type="text/plain", **headers)
        return status, json.loads(body)

    def metric(self, line_start: str) -> float:
        text = self.ask("GET", "/metrics")[1].decode()
        for line in text.splitlines():
            if line.startswith(line_start + " "):
                return float(line.rsplit(" ", 1)[1])
        return 0.0


@contextmanager
def serving(
    folder: Path, *, has_tokens: bool = True, limits: Mapping[str, float] | None = None
) -> Iterator[Server]:
    """Two workers, 3 s, 64 MB and 100,000 rows a question; a lake with something in each of its layers.

    Args:
        limits: other values of bounds that are not configured, by module and name.
    """
    config = lakes.settings(folder)
    journal, path = Journal(config.journal.path), lakes.pipeline(config)
    for number in range(3):
        journal.append(f"pump-{number}", readings(400, seed=number), units={"s0": "Cel"})
        if number < 2:
            path.land()
        if number < 1:
            path.register()
    port, tokens = free_port(), folder / "tokens"
    tokens.write_text(f"# of the tests\n{TOKEN}\n", encoding="utf-8")
    file = folder / "serve.toml"
    file.write_text(
        f"""
[journal]
path = "{config.journal.path}"
[lake]
uri = "{config.lake.uri}"
[serve]
port = {port}
{f'token_file = "{tokens}"' if has_tokens else ""}
max_seconds = 3.0
max_rows = 100000
max_memory_mb = 64
spill_mb = 0
""",
        encoding="utf-8",
    )
    with (folder / "serve.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", _launcher(limits or {}), "serve", "--config", str(file)],
            stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    made = Server(process, port, folder, tokens)
    try:
        wait_until(lambda: answers(made), 60, (folder / "serve.log").read_text)
        yield made
    finally:
        process.kill()
        process.wait()
        journal.close()


def _launcher(limits: Mapping[str, float]) -> str:
    """The program with other bounds than those of ``headrace.limits``."""
    lines = ["import importlib"]
    for name, value in limits.items():
        module, _, bound = name.rpartition(".")
        lines.append(f"importlib.import_module({module!r}).{bound} = {value!r}")
    return "; ".join([*lines, "from headrace.cli import main", "main()"])


def answers(server: Server) -> bool:
    """Whether somebody is there."""
    assert server.process.poll() is None, (server.data / "serve.log").read_text()
    try:
        return server.ask("GET", "/healthz")[0] == 200
    except OSError:
        return False
