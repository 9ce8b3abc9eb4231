"""Models at a device: a real repository, real processes for models and looks, a clock by hand."""

from __future__ import annotations

import json
from array import array

import pytest

from edge_agent.models.config import ModelsSettings
from edge_agent.models.desk import Desk
from edge_agent.models.input import ModelsInput, with_models
from edge_agent.models.lane import DeviceLane
from edge_agent.models.tap import Seen
from edge_agent.readings import Poll, Run
from headrace.clock import ManualClock
from headrace.errors import ModelError, TransportError
from headrace.models.gates import Gates
from headrace.models.remote import Question, RemoteClient
from headrace.models.run import open_run
from tests import graphs, model_repository
from tests.model_repository import Repository, packed
from tests.servers import wait_until

START = 1_700_000_000_000_000


def series(name: str, values: list[float], *, start: int = 0) -> Run:
    times = array("q", [START + (start + number) * 1_000_000 for number in range(len(values))])
    return Run(name, times, array("d", values))


@pytest.fixture
def lane(tmp_path):
    run = open_run(model_repository.write(tmp_path / "m", packed(graphs.good())))
    yield DeviceLane(run)
    run.close()


def test_runs_of_series_become_one_score_a_time(lane) -> None:
    """As it is, and over the threshold of 10."""
    scores, relative = lane.step([series("a", [1.0, 3.0]), series("b", [2.0, 4.0]), series("c", [9.0])])  # fmt: skip
    assert (scores.name, list(scores.values)) == ("edge-model/m/score", [1.5, 3.5])
    assert (relative.name, list(relative.values)) == ("edge-model/m/relative", [0.15, 0.35])
    assert list(scores.times) == [START, START + 1_000_000]


def test_a_time_whose_features_come_in_two_polls_is_scored_when_it_is_complete(lane) -> None:
    """And once."""
    assert lane.step([series("a", [1.0])]) == []
    lane.committed()
    assert list(lane.step([series("b", [2.0])])[0].values) == [1.5]
    lane.committed()
    assert lane.step([series("a", [1.0]), series("b", [2.0])]) == []


def test_a_step_that_was_not_taken_over_gives_the_same_again(lane) -> None:
    """A rollback has another version score the same readings."""
    seen = [series("a", [1.0]), series("b", [2.0])]
    assert lane.step(seen) == lane.step(seen)


def test_texts_and_numbers_that_are_none_are_no_features(lane) -> None:
    """The time waits for a number."""
    texts = Run("a", array("q", [START]), ["on"])
    assert lane.step([texts, series("b", [2.0]), series("a", [float("nan")])]) == []


class Device:
    """The models of one device, polled by the test."""

    def __init__(self, folder, repository: Repository) -> None:
        self.clock = ManualClock()
        self.seen = Seen()
        settings = ModelsSettings(
            source=str(repository.folder), root=repository.root, folder=folder / "models",
            poll_interval_s=1, shadow_s=0, probation_s=0, call_timeout_s=0.5, gates=Gates(min_rows=2),
        )  # fmt: skip
        self.models = ModelsInput(settings, "d1", self.seen, Desk())
        self.models.open(clock=self.clock, checkpoint=None)
        self.at = 0
        self.said: list[tuple[int, str]] = []

    def poll(self, a: float = 1.0) -> list[float]:
        self.clock.advance(1)
        self.seen.add(Poll([series("a", [a] * 5, start=self.at), series("b", [2.0] * 5, start=self.at)]))  # fmt: skip
        self.at += 5
        runs = self.models.poll().runs
        for run in runs:
            if run.name == "edge-model/m/event":
                found = json.loads(str(run.values[0]))
                self.said.append((found["version"], found["state"]))
        return [float(v) for run in runs if run.name == "edge-model/m/score" for v in run.values]

    def until(self, version: int, state: str) -> None:
        wait_until(lambda: self.poll() is not None and (version, state) in self.said, 30, f"{version} {state}: {self.said}")  # fmt: skip


@pytest.fixture
def device(tmp_path):
    repository = Repository(tmp_path / "cloud")
    repository.publish(packed(graphs.good()), "all")
    made = Device(tmp_path, repository)
    yield made, repository
    made.models.close()


def test_a_device_takes_what_is_signed_and_scores_its_own_readings(device) -> None:
    """From the repository to readings of its own, every step said."""
    made, _ = device
    made.until(1, "good")
    assert made.poll() == [1.5] * 5
    assert [state for _, state in made.said] == [
        "downloading", "verified", "checked", "shadow", "active", "good",
    ]  # fmt: skip


def test_a_version_that_goes_wrong_at_the_device_ends_on_the_last_good_one(device) -> None:
    """The readings that it went wrong on are scored by the one before."""
    made, repository = device
    made.until(1, "good")
    repository.publish(packed(graphs.nan_when_hot()), "device=d1")
    made.until(2, "active")
    assert made.poll(a=60.0) == [31.0] * 5
    made.until(2, "rolled_back")


def test_a_look_at_the_repository_is_a_process_whose_errors_come_back_by_type(tmp_path) -> None:
    """What heals by itself is told from what does not."""
    repository = Repository(tmp_path / "cloud")
    repository.publish(packed(graphs.good()), "all")
    about = Question(
        verb="", folder=str(tmp_path / "copy"), source=str(repository.folder), root=str(repository.root)
    )  # fmt: skip
    client = RemoteClient(about)
    assert client.refresh().wanted({}) == {"m": 1}
    assert (client.fetch("m", 1) / "model.onnx").is_file()
    with pytest.raises(ModelError, match="has no models/m/7"):
        client.fetch("m", 7)
    repository.folder.rename(repository.folder.with_name("away"))
    with pytest.raises(TransportError, match="no such folder"):
        client.refresh()
    assert client.assignments() is not None


def test_the_models_come_behind_the_inputs_whose_readings_they_see(tmp_path) -> None:
    """Nothing is changed about those inputs."""
    from edge_agent.inputs.simulated import PLUGIN

    source = PLUGIN.build(PLUGIN.config())
    (key, tapped), (models, _) = with_models([("pump", source)], ModelsSettings(), "d1", Desk())
    assert (key, models, tapped.interval_s) == ("pump", "models", source.interval_s)
    tapped.open(clock=ManualClock(), checkpoint=None)
    assert tapped.poll().rows >= 0
