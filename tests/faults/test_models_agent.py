"""An agent that runs models is killed wherever a new version can be on its way: nothing is lost."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from headrace.models.run import open_run
from tests import graphs
from tests.model_repository import Repository, packed
from tests.model_site import AgentSite
from tests.programs import Programs
from tests.servers import wait_until
from tests.servers.acking_gateway import AckingGateway, acking_gateway
from tests.servers.faulty_folder import FaultyFolder, serve_folder
from tests.servers.mosquitto import mosquitto


@dataclass
class World:
    """A repository behind a web server, an agent, and a stand-in for its gateway."""

    repository: Repository
    web: FaultyFolder
    gateway: AckingGateway
    agent: AgentSite

    def publish(self) -> int:
        return self.repository.publish(packed(graphs.good()), "all")

    def kill_and_start(self) -> None:
        self.agent.program.kill()
        self.agent.program.start()

    def times(self, name: str) -> list[int]:
        """Times of a series as they have arrived, each seq once."""
        found, seen = [], set[int]()
        for batch in list(self.gateway.batches):
            for seq, row in enumerate(batch.rows.to_pylist(), batch.first_seq):
                if seq not in seen and row["name"] == name:
                    found.append(round(row["time"].timestamp()))
                seen.add(seq)
        return found

    def rows_go_on(self, what: str) -> None:
        before = self.gateway.rows()
        wait_until(lambda: self.gateway.rows() > before + 50, 20, what)

    def scores_go_on(self, what: str) -> None:
        before = len(self.times("edge-model/m/score"))
        wait_until(lambda: len(self.times("edge-model/m/score")) > before + 20, 20, what)

    def nothing_is_lost(self) -> None:
        """Every row of the recording up to the last that came is there once, and no seq is missing."""
        for name in "ab":
            times = self.times(name)
            assert sorted(times) == list(range(1_750_000_000, max(times) + 1)), name
        [(_, seqs)] = self.gateway.seen.items()
        assert len(list(seqs)) == 1


@pytest.fixture
def world(programs: Programs, tmp_path: Path) -> Iterator[World]:
    repository = Repository(tmp_path / "cloud")
    with (
        mosquitto(tmp_path) as broker,
        acking_gateway(broker.port) as gateway,
        serve_folder(repository.folder) as web,
    ):
        agent = AgentSite(
            programs, tmp_path / "agent", port=broker.port, source=web.url, root=repository.root,
            probation_s=2,
        )  # fmt: skip
        made = World(repository, web, gateway, agent)
        made.publish()
        agent.program.start()
        agent.until("version 1 is good", active=1, proven=True)
        yield made
        programs.close()


def test_a_kill_in_mid_download_leaves_the_last_good_version(world: World) -> None:
    """Which scores on while the repository hangs, and the new one comes when it does not."""
    world.web.faults["model.onnx"] = "stalled"
    world.publish()
    world.agent.until("a download hangs", candidate=2, phase="downloading")
    world.rows_go_on("a download holds nobody up")
    world.kill_and_start()
    world.scores_go_on("version 1 scores after the kill")
    assert world.agent.slot().active == 1
    world.kill_and_start()
    world.web.faults.clear()
    world.agent.until("version 2 is good all the same", active=2, proven=True)
    world.nothing_is_lost()


@pytest.mark.parametrize(
    ("step", "wanted"),
    [
        ("shadow", {"candidate": 2, "phase": "shadow"}),
        ("active", {"active": 2, "proven": False}),
    ],
)
def test_a_kill_in_mid_switch_leaves_one_whole_version(world: World, step, wanted) -> None:
    """With the repository away afterwards, it goes on with what it has; then with the new one."""
    world.publish()
    seen = world.agent.until(step, **wanted)
    world.agent.program.kill()
    slot = world.agent.slot()
    assert slot.active in (seen.active, 2)
    open_run(
        world.agent.folder / "models" / "repository" / "models" / "m" / str(slot.active)
    ).close()
    world.web.folder = world.web.folder.with_name("away")
    world.agent.program.start()
    world.scores_go_on("a good version scores without a repository")
    world.web.folder = world.repository.folder
    world.agent.until("version 2 is good all the same", active=2, proven=True)
    world.nothing_is_lost()


def test_three_kills_on_probation_end_on_the_last_good_version(world: World) -> None:
    """Whether or not the version is what takes the power."""
    world.publish()
    for starts in range(3):
        world.agent.until("it is on probation", active=2, proven=False, trial_starts=starts)
        world.kill_and_start()
    slot = world.agent.until("version 1 runs again", active=1, proven=True)
    assert [refused.version for refused in slot.refused] == [2]
    world.scores_go_on("version 1 scores")
    world.nothing_is_lost()


def test_kills_at_any_moment_leave_a_good_version(world: World) -> None:
    """Each time a newer one is on its way."""
    chance = random.Random(3)
    for version in range(2, 5):
        world.publish()
        threading.Event().wait(chance.uniform(0, 3))
        world.agent.program.kill()
        assert world.agent.slot().active in range(1, version + 1)
        world.agent.program.start()
    world.agent.until("the last one is good", active=4, proven=True)
    world.nothing_is_lost()
