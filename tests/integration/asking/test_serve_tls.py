"""``headrace serve`` with a certificate, and for this machine only."""

from __future__ import annotations

import http.client
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

import headrace
from headrace.errors import LakeUnavailable
from tests import lakes
from tests.journals import Journal, readings
from tests.servers import free_port, wait_until


def test_it_is_asked_over_tls_and_by_this_machines_names_only(tmp_path: Path) -> None:
    """A page in a browser that has another name point to this machine gets nothing."""
    data = lakes.settings(tmp_path)
    journal, port = Journal(data.journal.path), free_port()
    journal.append("pump", readings(8))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-keyout", tmp_path / "key", "-out", tmp_path / "crt"],
        check=True, capture_output=True,
    )  # fmt: skip
    file = tmp_path / "serve.toml"
    file.write_text(
        f'[journal]\npath = "{data.journal.path}"\n[lake]\nuri = "{data.lake.uri}"\n[serve]\nport = {port}\n'
        f'max_queries = 1\ncertfile = "{tmp_path / "crt"}"\nkeyfile = "{tmp_path / "key"}"\n',
        encoding="utf-8",
    )
    process = subprocess.Popen([sys.executable, "-m", "headrace.cli", "serve", "--config", file])
    url, trusting = f"https://localhost:{port}", ssl.create_default_context(cafile=tmp_path / "crt")

    def status(host: str) -> int:
        connection = http.client.HTTPSConnection("localhost", port, timeout=20, context=trusting)
        try:
            connection.request("GET", "/healthz", headers={"Host": host})
            return connection.getresponse().status
        except ConnectionError:
            return 0
        finally:
            connection.close()

    try:
        wait_until(lambda: status("localhost") == 200, 60, "it answers")
        assert status("rebound.example") == 400
        with headrace.connect(url, ca_file=tmp_path / "crt") as lake:
            assert lake.sql("SELECT count(*) AS n FROM readings").to_pylist() == [{"n": 8}]
        with headrace.connect(url) as lake, pytest.raises(LakeUnavailable, match="certificate"):
            lake.devices().to_arrow()
    finally:
        process.terminate()
        assert process.wait(20) == 0
        journal.close()
