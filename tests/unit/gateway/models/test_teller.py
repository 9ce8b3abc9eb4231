"""What the gateway tells devices about models, and others about devices."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.live import Live
from gateway.models.teller import Teller
from headrace.clock import ManualClock
from headrace.limits.edge_models import MODELS_TOLD_PER_ROUND
from headrace.models import machine
from headrace.models.machine import Slot
from headrace.models.store import SlotStore
from headrace.topics import Topics
from headrace.wire import DeviceState


class Bench:
    """A teller, what it published, and which versions have scored whom."""

    def __init__(self, folder: Path) -> None:
        self.live = Live()
        self.store = SlotStore(folder, ManualClock())
        self.store.change("m", lambda _slot, _now: Slot("m", active=1))
        self.scored: dict[str, dict[str, int]] = {}
        self.sent: list[tuple[str, dict[str, Any], bool]] = []
        self.teller = Teller(
            "s", Topics(), self.publish, live=self.live, store=self.store,
            scored=lambda: self.scored,
        )  # fmt: skip

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        self.sent.append((topic.removeprefix("headrace/v1/"), json.loads(payload), retain))

    def told(self, serial: int) -> list[tuple[str, dict[str, Any], bool]]:
        self.sent.clear()
        self.teller.tell(serial)
        return list(self.sent)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_device_with_models_of_its_own_is_told_the_serial_once(bench: Bench) -> None:
    """Retained, and again only when it has changed."""
    bench.live.set_state("d1", DeviceState(True, models={}))
    bench.scored["d1"] = {"m": 1}
    assert bench.told(4) == [("d1/model/desired", {"serial": 4}, True)]
    assert bench.told(4) == []
    assert bench.told(5) == [("d1/model/desired", {"serial": 5}, True)]


def test_of_other_devices_it_is_said_which_version_has_scored_them(bench: Bench) -> None:
    """Not before it has."""
    bench.live.set_state("d1", DeviceState(True))
    assert bench.told(1) == []
    bench.scored["d1"] = {"m": 1}
    [(topic, said, retained)] = bench.told(1)
    assert (topic, retained) == ("d1/model/reported", True)
    assert said == {
        "where": "gateway", "site": "s", "serial": 1,
        "models": [{"model": "m", "active": 1, "state": "good"}],
    }  # fmt: skip
    bench.store.change("m", lambda slot, now: machine.want(slot, 2, now))
    assert bench.told(1) == [], "a version on its way is no message a device"


def test_many_devices_are_told_by_and_by(bench: Bench) -> None:
    """Acks must not wait behind a switch."""
    for number in range(MODELS_TOLD_PER_ROUND + 10):
        bench.scored[f"d{number}"] = {"m": 1}
    assert [len(bench.told(1)) for _ in range(3)] == [MODELS_TOLD_PER_ROUND, 10, 0]
