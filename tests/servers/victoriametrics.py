"""A real VictoriaMetrics (single node), on loopback and a free port."""

from __future__ import annotations

import json
import shutil
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


@dataclass(frozen=True, slots=True)
class VictoriaMetrics:
    """A running server: its port and what tests ask it."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def export(self, selector: str) -> list[dict[str, Any]]:
        """Series with their values, what was written a moment ago included."""
        urllib.request.urlopen(f"{self.url}/internal/force_flush", timeout=10).close()
        query = urllib.parse.urlencode({"match[]": selector})
        with urllib.request.urlopen(f"{self.url}/api/v1/export?{query}", timeout=10) as answer:
            return [json.loads(line) for line in answer if line.strip()]

    def count(self) -> int:
        """How many numbers were written, duplicates once."""
        return sum(len(series["values"]) for series in self.export('{__name__="readings_value"}'))

    def answers(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.url}/health", timeout=1).close()
        except (OSError, urllib.error.HTTPError):
            return False
        return True


@contextmanager
def victoriametrics(folder: Path, *, port: int | None = None) -> Iterator[VictoriaMetrics]:
    """Run VictoriaMetrics on a folder; duplicates within a millisecond are merged when read."""
    if shutil.which("victoria-metrics") is None:
        pytest.skip("victoria-metrics is not installed (Debian package victoria-metrics)")
    folder.mkdir(parents=True, exist_ok=True)
    server = VictoriaMetrics(port or free_port())
    argv = [
        "victoria-metrics",
        f"-storageDataPath={folder / 'data'}",
        f"-httpListenAddr=127.0.0.1:{server.port}",
        "-retentionPeriod=100y",
        "-search.latencyOffset=0s",
        "-dedup.minScrapeInterval=1ms",
        "-memory.allowedBytes=128MB",
    ]
    with start_process(argv, log=folder / "victoria-metrics.log", ready=server.answers):
        yield server
