"""A real gateway and a real signed repository: versions arrive, go wrong, and the last good one stays."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from headrace import codecs
from headrace.codecs import arrow
from headrace.journal import JournalReader
from headrace.models.store import read_slots
from tests import graphs
from tests.devices import Device
from tests.gateway_entries import rows
from tests.model_repository import Repository, packed
from tests.programs import Gateway, make_gateway
from tests.servers import wait_until

TOML = """
[model_repository]
source = "{source}"
root = "{root}"
poll_interval_s = 1
shadow_s = {shadow_s}
probation_s = {probation_s}
inputs_wait_s = 2
call_timeout_s = 1
labels = {{ ring = "canary" }}
[model_repository.gates]
min_rows = 5
[[model_repository.models]]
name = "m"
[[rules]]
name = "bad"
kind = "score"
model = "m"
"""


class Site:
    """A gateway that takes its models from a repository, and one device."""

    def __init__(
        self, programs, folder, *, shadow_s: float = 0.5, probation_s: float = 1.0
    ) -> None:
        self.repository = Repository(folder)
        toml = TOML.format(
            source=self.repository.folder, root=self.repository.root, shadow_s=shadow_s,
            probation_s=probation_s,
        )  # fmt: skip
        self.gateway: Gateway = make_gateway(programs, extra=[toml])
        self.seq = 1
        self.time = 1_750_000_000_000_000

    def start(self) -> None:
        self.gateway.start()
        self.gateway.wait_ready()
        self.device = Device("d1", self.gateway.mqtt_port)

    def send(self, a: float, count: int = 5) -> None:
        """Readings of a and b, one row a second of their own time, acknowledged when this returns."""
        times = [self.time + number * 1_000_000 for number in range(count) for _ in "ab"]
        self.time = times[-1] + 1_000_000
        batch = rows(["a", "b"] * count, times, [a, 2.0] * count)
        before = self.device.acked
        self.device.publish(arrow.encode(batch, stream="0123456789abcdef", first_seq=self.seq))
        self.seq += batch.num_rows
        self.device.wait_acked(before + batch.num_rows)

    def slot(self) -> dict[str, Any]:
        found = [row for row in self.gateway.get("api/v1/models") if row["model"] == "m"]
        return found[0] if found else {"active": None, "candidate": None, "reason": ""}

    def until(self, what: str, a: float = 1.0, **wanted: object) -> dict[str, Any]:
        """Send readings until the slot is as wanted."""

        def reached() -> bool:
            self.send(a)
            slot = self.slot()
            return all(slot.get(key) == value for key, value in wanted.items())

        wait_until(reached, 30, f"{what}: {wanted}; it is {self.slot()}")
        return self.slot()

    def events(self) -> list[tuple[int, str, str]]:
        """(version, state, reason) as journalled."""
        found = []
        with JournalReader(self.gateway.journal) as reader:
            for row in reader.read(0, max_rows=1_000_000, max_bytes=1 << 26):
                batch = codecs.decode(row.format, row.payload, row.received_at).rows
                texts = [one["text"] for one in batch.to_pylist() if one["name"] == "model/m/event"]
                found += [json.loads(text) for text in texts]
        return [(one["version"], one["state"], one["reason"]) for one in found]

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "gateway", "models", *words, "-c", str(self.gateway.program.config)]  # fmt: skip
        return subprocess.run(argv, capture_output=True, text=True, timeout=30)


@pytest.fixture
def site(programs, tmp_path):
    made = Site(programs, tmp_path / "cloud")
    made.start()
    yield made
    made.device.close()


def test_a_promoted_version_reaches_the_gateway_and_every_step_is_reported(site) -> None:
    """On the API, in the journal, and in what `gateway models` prints."""
    site.repository.publish(packed(graphs.good()), "all")
    site.until("version 1 is good", active=1, state="good")
    wait_until(lambda: len(site.events()) == 6, 10, "all steps are journalled")
    states = ["downloading", "verified", "checked", "shadow", "active", "good"]
    assert [state for _, state, _ in site.events()] == states
    listed = json.loads(site.command("list", "--json").stdout)
    assert [(row["model"], row["active"], row["state"]) for row in listed] == [("m", 1, "good")]
    assert "serial 1" in site.command("status").stdout


@pytest.mark.parametrize(
    ("graph", "reason"),
    [
        (graphs.raises_when_hot(), "out of data bounds"),
        (graphs.stalls_when_hot(), "did not answer"),
        (graphs.nan_when_hot(), "not finite"),
    ],
)
def test_a_version_that_goes_wrong_on_live_readings_ends_on_the_last_good_one(
    site, graph, reason
) -> None:
    """Readings are acknowledged all the time, and the reason is in the journal."""
    site.repository.publish(packed(graphs.good()), "all")
    site.until("version 1 is good", active=1, state="good")
    site.repository.publish(packed(graph), "canary")
    site.until("version 2 runs", active=2)
    site.until("version 1 runs again", a=60.0, active=1, last_refused=2)
    assert reason in site.slot()["reason"]
    wait_until(lambda: site.events()[-1][1] == "rolled_back", 10, "the rollback is journalled")


def test_a_version_that_calls_everything_faulty_never_becomes_active(site) -> None:
    """Shadow is what it is for."""
    site.repository.publish(packed(graphs.good()), "all")
    site.until("version 1 is good", active=1, state="good")
    site.repository.publish(packed(graphs.good(), threshold=0.1), "canary")
    site.until("version 2 is refused", last_refused=2, candidate=None, active=1)
    assert "faulty" in site.slot()["reason"]
    assert (2, "active", "") not in [(version, state, "") for version, state, _ in site.events()]


def test_a_manifest_that_names_inputs_which_nobody_sends_is_refused(site) -> None:
    """After a while, by name."""
    lies = packed(graphs.good(), features=(("a", ""), ("pressure", "Pa")))
    site.repository.publish(lies, "all")
    site.until("version 1 is refused", last_refused=1)
    assert "no device sends pressure" in site.slot()["reason"]


def test_a_rollback_by_hand_and_a_revocation_both_end_on_the_version_before(site) -> None:
    """The one is this site's will, the other the publisher's."""
    for version in (1, 2, 3):
        site.repository.publish(packed(graphs.good()), "all")
        site.until("it is good", active=version, state="good")
    done = site.command("rollback", "m", "--reason", "false alarms")
    assert done.returncode == 0, done.stderr
    site.until("version 2 runs", active=2, last_refused=3)
    assert site.slot()["reason"] == "false alarms"
    site.repository.releases.revoke("m", 2, "trained on wrong data")
    assert site.command("check").returncode == 0
    site.until("version 1 runs", active=1)


@pytest.mark.parametrize("when", ["candidate", "active"])
def test_power_cuts_in_the_middle_of_a_switch_leave_one_whole_version(site, when) -> None:
    """SIGKILL while a version is on its way and right after the switch, each time a newer one."""
    site.repository.publish(packed(graphs.good()), "all")
    site.until("version 1 is good", active=1, state="good")
    for version in (2, 3):
        site.repository.publish(packed(graphs.good()), "all")
        site.until("a switch begins", **{when: version})
        site.gateway.program.kill()
        [slot] = read_slots(site.gateway.data / "models" / "slots")
        assert slot.active in (version - 1, version)
        site.device.close()
        site.start()
        site.until("the new version is good all the same", active=version, state="good")


def test_a_repository_that_is_away_changes_nothing(site) -> None:
    """And `models status` says so."""
    site.repository.publish(packed(graphs.good()), "all")
    site.until("version 1 is good", active=1, state="good")
    site.repository.folder.rename(site.repository.folder.with_name("away"))
    wait_until(lambda: "no such folder" in site.command("status").stdout, 10, "the fault is shown")
    site.send(1.0)
    assert site.slot()["active"] == 1
