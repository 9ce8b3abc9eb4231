"""A gateway's disk is lost in mid-flow, again and again: with ``ack_after = "lake"`` the lake has it all, once.

Agents keep sampling and sending. Gateway and cloud-sync are killed at random, and at times the gateway's
data folder is deleted with it. Whenever cloud-sync is dead, what the devices have forgotten by then is held
against what is in the table.
"""

from __future__ import annotations

import os
import random
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest

from headrace.buffer_stats import BufferStats, read_buffer_stats
from headrace.lake.config import Lake
from headrace.query.engine import Engine
from headrace.query.sources import collect
from tests.e2e.test_kills import SENT, cloud_config, differences, write_recording
from tests.programs import Gateway, Program, Programs, make_gateway
from tests.servers import wait_until
from tests.sites import registered

SERIES = 8
#: Rows of the recording that one agent replays; the other samples until it is stopped.
ROWS = 10_000
AGENTS = ("sampling", "replaying")
#: What is lost in turn, and how often; some 10 s each. ``HEADRACE_LOST_DISKS=40`` is the long version.
WHAT = ("disk", "gateway", "disk", "cloud")
EVENTS = int(os.environ.get("HEADRACE_LOST_DISKS", "2"))

INPUTS = {
    "sampling": 'plugin = "simulated"\nrate_hz = 20.0',
    "replaying": 'plugin = "replay"\nspeed = 1000.0\npath = "{recording}"',
}


def agent_config(device: str, folder: Path, port: int) -> str:
    return f"""
device = "{device}"
[buffer]
path = "{folder / device}.db"
loss_window_s = 0.0
[uplink]
port = {port}
ack_timeout_s = 3
[[inputs]]
interval_s = 0.1
{INPUTS[device].format(recording=folder / f"{device}.csv")}
"""


@dataclass
class World:
    """The site, its cloud-sync and its lake."""

    folder: Path
    gateway: Gateway
    cloud: Program

    @property
    def lake(self) -> Lake:
        return Lake(uri=str(self.folder / "lake"))

    def table(self, device: str) -> list[int]:
        """Seqs of a device's own readings in the table, each as often as it is there."""
        found = registered(self.lake)
        stream = read_buffer_stats(self.folder / f"{device}.db").stream
        rows = zip(found["stream"].to_pylist(), found["seq"].to_pylist(), strict=True)
        return sorted(seq for name, seq in rows if name == stream)

    def content(self, device: str) -> pa.Table:
        """What a device has sampled, as the table has it."""
        with Engine(collect(self.lake, None), self.lake) as engine:
            return engine.query(
                "SELECT name, epoch_us(time) AS time, value FROM readings "
                f"WHERE device = '{device}' AND {SENT}"
            ).read_all()

    def lose(self, what: str) -> None:
        """Kill one or both; with the disk, the journal is gone as well."""
        if what != "gateway":
            self.cloud.kill()
            self.compare()
        if what != "cloud":
            self.gateway.program.kill()
        if what == "disk":
            shutil.rmtree(self.gateway.data)

    def compare(self) -> None:
        """Nothing is registered at present: what devices have forgotten must be in the table, once."""
        for device in AGENTS:
            buffer = self.folder / f"{device}.db"
            forgotten = read_buffer_stats(buffer).acknowledged if buffer.exists() else 0
            if forgotten:
                seqs = self.table(device)
                assert len(seqs) == len(set(seqs)), f"{device}: doubled"
                assert forgotten <= len(seqs), (
                    f"{device}: {forgotten} forgotten, {len(seqs)} registered"
                )

    def heal(self) -> None:
        for program in (self.gateway.program, self.cloud):
            if not program.running:
                program.start()

    def stats(self, device: str) -> BufferStats | None:
        buffer = self.folder / f"{device}.db"
        return read_buffer_stats(buffer) if buffer.exists() else None

    def forgotten(self) -> int:
        """What the sampling device has forgotten."""
        stats = self.stats("sampling")
        return stats.acknowledged if stats else 0

    def sampled(self) -> int:
        """What it has sampled."""
        stats = self.stats("sampling")
        return stats.sampled if stats else 0


@pytest.mark.timeout(200 + 40 * EVENTS)
def test_lost_disks_lose_and_double_nothing(programs: Programs, tmp_path: Path) -> None:
    """Disks, and kills in between; by (device, stream, seq) and by content."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    rng, pause = random.Random(seed), threading.Event()
    gateway = make_gateway(programs, journal='ack_after = "lake"')
    cloud = programs.make("cloud_sync", cloud_config(tmp_path, gateway.journal))
    world = World(tmp_path, gateway, cloud)
    world.heal()
    write_recording(tmp_path / "replaying.csv", ROWS, seed=1)
    agents = [
        programs.make("edge_agent", agent_config(device, tmp_path, gateway.mqtt_port), device)
        for device in AGENTS
    ]
    for agent in agents:
        agent.start()
    for number in range(EVENTS):
        before = world.forgotten()
        wait_until(lambda: world.forgotten() > before, 60, f"acks before loss {number}")  # noqa: B023
        pause.wait(rng.uniform(0.0, 1.0))
        world.lose(WHAT[number % len(WHAT)])
        world.heal()

    wait_until(lambda: is_drained(world.stats("replaying")), 120, "the recording is forgotten")
    # The agent has sampled nothing of this before the last loss.
    before = world.sampled()
    wait_until(lambda: world.forgotten() > before, 60, "acks after all losses")
    assert [agent.stop() for agent in agents] == [0] * len(agents)
    assert gateway.program.stop() == 0
    assert cloud.stop() == 0
    assert world.table("replaying") == list(range(1, ROWS * SERIES + 1))
    assert differences(world.content("replaying"), tmp_path / "replaying.csv") == (0, 0)
    sampled = world.table("sampling")
    assert sampled == list(range(1, len(sampled) + 1))
    assert len(sampled) >= world.forgotten()


def is_drained(stats: BufferStats | None) -> bool:
    """Whether a whole recording is sampled and forgotten."""
    return stats is not None and stats.sampled == ROWS * SERIES and not stats.buffered
