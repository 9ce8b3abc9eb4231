"""The thread that looks at the repository, on a real one, a round at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from headrace.clock import ManualClock
from headrace.limits.edge_models import MODELS_HINT_PAUSE_S
from headrace.models import requests
from headrace.models.client import ModelRepositoryClient
from headrace.models.fit import Fit
from headrace.models.gates import Gates
from headrace.models.lanes import Trial
from headrace.models.place import Place, read_look
from headrace.models.poller import Poller
from headrace.models.repository import Assignments
from headrace.models.requests import Request
from headrace.models.run import Run
from headrace.models.sources import FolderSource
from headrace.models.store import SlotStore
from tests import graphs
from tests.model_repository import Repository, packed
from tests.servers import wait_until

TRIAL = Trial(shadow_s=1, probation_s=1, gates=Gates(), call_timeout_s=1)


class Counting(ModelRepositoryClient):
    """A client that says how often it was asked to look."""

    looks = 0

    def refresh(self) -> Assignments:
        self.looks += 1
        return super().refresh()


class Bench:
    """A poller whose rounds the test makes, and what it offered."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "models"
        self.repository = Repository(folder / "cloud")
        self.clock = ManualClock()
        self.clock.advance(400 * 86_400)  # in the repository's time: keys are of today
        self.store = SlotStore(self.folder / "slots", self.clock)
        self.offered: list[Run] = []
        self.fit = Fit(True)
        self.client = Counting(
            folder=self.folder / "repository",
            source=FolderSource(self.repository.folder),
            trusted_root=self.repository.root.read_bytes(),
        )
        self.poller = Poller(
            Place(
                folder=self.folder, labels={"site": "s"}, fixed=("builtin",), interval_s=3_600,
                inputs_wait_s=60, mirrors=False, repository=self.client, store=self.store,
                clock=self.clock, trial=lambda _name: TRIAL, fit=lambda _manifest: self.fit,
                offer=self.offered.append, changed=lambda: None, tick=lambda: None,
            )
        )  # fmt: skip

    def reason(self) -> str:
        return self.store.get("m").refused[-1].reason


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    yield made
    made.poller.stop()
    for run in made.offered:
        run.close()


def test_what_is_promoted_here_is_loaded_and_offered_once(bench) -> None:
    """However often the repository says the same."""
    bench.repository.publish(packed(graphs.good()), "site=s")
    bench.repository.publish(packed(graphs.good()), "site=elsewhere")
    for _ in range(3):
        bench.poller.round()
    assert [run.version for run in bench.offered] == [1]
    assert bench.store.get("m").phase == "shadow"


def test_a_model_whose_golden_scores_are_others_is_refused(bench) -> None:
    """Signed, whole, and still not what training made."""
    bench.repository.publish(packed(graphs.scaled(2.0)), "all")
    bench.poller.round()
    assert "golden vector 0" in bench.reason()
    assert bench.offered == []


def test_a_model_waits_for_its_inputs_and_not_for_ever(bench) -> None:
    """As long as nobody was heard at all it waits on."""
    bench.repository.publish(packed(graphs.good()), "all")
    bench.fit = Fit(False, missing="no device sends b")
    bench.poller.round()
    bench.clock.advance(61)
    bench.poller.bring_all()
    assert "waits for its inputs" in bench.store.get("m").waiting
    bench.fit = Fit(False, missing="no device sends b", heard=True)
    bench.poller.bring_all()
    assert bench.reason() == "no device sends b"


def test_a_model_that_the_configuration_runs_itself_is_left_to_it(bench) -> None:
    """Two series of the same name would help nobody."""
    bench.repository.publish(packed(graphs.good(), name="builtin"), "all")
    bench.poller.round()
    assert bench.store.all() == []


def test_files_that_are_not_as_signed_are_fetched_again_and_not_held_against_the_model(
    bench,
) -> None:
    """Somebody between here and there is not the model's fault."""
    bench.repository.publish(packed(graphs.good()), "all")
    (graph,) = bench.repository.folder.glob("targets/models/m/1/*.model.onnx")
    whole = graph.read_bytes()
    graph.write_bytes(whole[:-1])
    bench.poller.round()
    assert bench.store.get("m").refused == ()
    assert bench.offered == []
    graph.write_bytes(whole)
    bench.poller.round()
    assert [run.version for run in bench.offered] == [1]


def test_a_repository_that_is_away_is_said_and_the_rest_goes_on(bench) -> None:
    """In the file that `models status` reads."""
    bench.repository.publish(packed(graphs.good()), "all")
    bench.poller.round()
    bench.repository.folder.rename(bench.repository.folder.with_name("away"))
    bench.poller.round()
    assert "no such folder" in read_look(bench.folder).error
    assert read_look(bench.folder).serial == 1


def test_a_request_is_taken_once_and_nonsense_is_removed(bench) -> None:
    """By the running thread, within a second or two."""
    bench.repository.publish(packed(graphs.good()), "all")
    bench.poller.round()
    path = requests.ask(bench.folder / "requests", Request(verb="rollback", model="m", reason="no"))
    path.with_name("nonsense.json").write_text("{")
    bench.poller.start()
    wait_until(lambda: not list(path.parent.glob("*.json")), 10, "requests are taken")
    wait_until(lambda: bench.store.get("m").refused, 10, "it is done")
    assert bench.reason() == "no"


def test_hints_buy_one_look_in_ten_seconds_and_none_is_lost(bench) -> None:
    """Whoever floods a device with them, and however often he does; a nudge is answered at once."""
    bench.poller.start()
    wait_until(lambda: bench.client.looks == 1, 10, "the first look")
    for serial in range(1, 100):
        bench.poller.hint(serial)
    bench.poller.nudge()
    wait_until(lambda: bench.client.looks == 2, 10, "a nudge is answered at once")
    bench.poller.hint(1)
    passes(bench, lambda: bench.client.looks == 3, "what was said in the pause is looked for")
    bench.poller.hint(0)  # known already
    nonsense = bench.folder / "requests" / "nonsense.json"
    nonsense.parent.mkdir(exist_ok=True)
    nonsense.write_text("{")
    passes(bench, lambda: not nonsense.exists(), "a round has gone by")
    assert bench.client.looks == 3


def passes(bench: Bench, reached: Callable[[], bool], what: str) -> None:
    """Let time pass until it is so."""

    def look() -> bool:
        bench.clock.advance(MODELS_HINT_PAUSE_S / 4)
        return reached()

    wait_until(look, 10, what)
