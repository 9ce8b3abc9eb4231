"""A real InfluxDB 1.x (``influxd``), on loopback and free ports."""

from __future__ import annotations

import json
import shutil
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.servers import free_port, start_process
from tests.servers.tls import Pair

_CONFIG = """
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
  auth-enabled = {auth}
  https-enabled = {https}
  https-certificate = "{certificate}"
  https-private-key = "{key}"
[monitor]
  store-enabled = false
"""

#: What the test itself asks, it asks whoever answers: certificates are the sink's matter.
_ANY = ssl._create_unverified_context()  # noqa: S323


@dataclass(frozen=True, slots=True)
class InfluxDB:
    """A running server: its port and what tests ask it."""

    port: int
    user: tuple[str, str] | None = None
    scheme: str = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def query(self, statement: str, database: str = "") -> list[list[Any]]:
        """Rows of an InfluxQL statement, of all its series behind one another."""
        body = urllib.parse.urlencode({"q": statement, "db": database, "epoch": "u"}).encode()
        who = urllib.parse.urlencode(dict(zip("up", self.user, strict=True)) if self.user else {})
        with urllib.request.urlopen(
            f"{self.url}/query?{who}", data=body, timeout=10, context=_ANY
        ) as answer:
            results = json.load(answer)["results"]
        assert "error" not in results[0], results[0]
        return [row for series in results[0].get("series", []) for row in series["values"]]

    def count(self, database: str, field: str = "value") -> int:
        """How many points have the field."""
        rows = self.query(f'SELECT count("{field}") FROM readings', database)
        return int(rows[0][1]) if rows else 0

    def answers(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.url}/ping", timeout=1, context=_ANY).close()
        except (OSError, urllib.error.HTTPError):
            return False
        return True


@contextmanager
def influxdb(
    folder: Path, *, port: int | None = None, auth: bool = False, tls: Pair | None = None
) -> Iterator[InfluxDB]:
    """Run influxd on a folder; started again on the same folder and port it has its data again."""
    if shutil.which("influxd") is None:
        pytest.skip("influxd is not installed (Debian package influxdb)")
    folder.mkdir(parents=True, exist_ok=True)
    server = InfluxDB(port or free_port(), scheme="https" if tls else "http")
    config = folder / "influxdb.conf"
    text = _CONFIG.format(
        folder=folder, port=server.port, rpc=free_port(), auth=str(auth).lower(),
        https=str(tls is not None).lower(), certificate=tls.certificate if tls else "",
        key=tls.key if tls else "",
    )  # fmt: skip
    config.write_text(text)
    with start_process(
        ["influxd", "-config", config], log=folder / "influxd.log", ready=server.answers
    ):
        yield server
