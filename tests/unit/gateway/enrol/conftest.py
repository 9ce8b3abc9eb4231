"""A site's CA and registry in a folder, with a clock that the test moves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge_agent.enrol.request import new_key, request_for
from gateway.enrol.config import EnrolConfig
from gateway.enrol.site import SitePki
from headrace.clock import ManualClock
from headrace.pki.messages import Application

#: 2026-11-23, because a CA refuses to sign with a clock that was never set.
NOW = 1_795_000_000_000_000


@dataclass
class Applicant:
    """A device's key, and what it sends."""

    key: Path

    def csr(self) -> str:
        return request_for(self.key)

    def application(self, secret: bytes, device: str = "") -> Application:
        return Application(secret.hex(), self.csr(), device)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def site(tmp_path: Path, clock: ManualClock) -> Iterator[SitePki]:
    made = SitePki(
        EnrolConfig(enabled=True, mosquitto_dir=tmp_path / "mosquitto"), data_dir=tmp_path,
        site="site-1", hosts=["0.0.0.0"], broker_host="", broker_port=8883, topic_root="headrace/v1", clock=clock,
    )  # fmt: skip
    yield made
    made.close()


@pytest.fixture
def applicants(tmp_path: Path) -> list[Applicant]:
    """Two devices with a key each."""
    made = []
    for name in ("first.key", "second.key"):
        (tmp_path / name).write_bytes(new_key())
        made.append(Applicant(tmp_path / name))
    return made
