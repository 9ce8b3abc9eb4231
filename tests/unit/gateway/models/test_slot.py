"""Versions on live readings: real graphs in real processes, readings and clock made by the test."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.models.config import ModelRepositoryConfig
from gateway.models.consumer import ModelsConsumer
from headrace.clock import ManualClock
from headrace.metrics import Metrics
from headrace.models import machine
from headrace.models.gates import Gates
from headrace.models.machine import Slot
from headrace.models.run import open_run
from headrace.models.store import SlotStore
from tests import graphs, model_repository
from tests.gateway_entries import wide

CONFIG = ModelRepositoryConfig(
    source="unused", shadow_s=60, probation_s=600, call_timeout_s=0.5, gates=Gates(min_rows=5)
)


class Site:
    """A consumer over slots in a folder; ``restart`` is what a power cut leaves."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = ManualClock()
        self.events: list[str] = []
        self.at_s = 0
        self.open()

    def open(self) -> None:
        self.store = SlotStore(self.folder / "slots", self.clock)
        for slot in self.store.all():
            self.store.change(slot.name, machine.started)
        self.consumer = ModelsConsumer(
            CONFIG, self.store, Metrics("gateway"), site="s", changed=lambda: None,
            folder_of=lambda name, version: self.folder / "models" / name / str(version),
        )  # fmt: skip

    def add(self, version: int, graph: bytes, **more: object) -> None:
        """What the poller does: a version fetched, checked and offered."""
        made = model_repository.packed(graph, version=version, **more)
        folder = model_repository.write(self.folder / "models" / "m" / str(version), made)
        self.store.change("m", lambda slot, now: machine.want(slot, version, now))
        for phase in machine.PHASES[1:]:
            self.store.change("m", lambda slot, now, phase=phase: machine.advance(slot, phase, now))
        self.consumer.offer(open_run(folder, call_timeout_s=0.5))

    def see(self, a: float, rows: int = 10, odd: float | None = None) -> list[float]:
        """Readings of one device; gives the scores that were journalled for them.

        With ``odd`` there are three devices, and the last one measures that.
        """
        values = {"d1": a} if odd is None else {"d1": a, "d2": a, "d3": odd}
        entries = [
            wide(device, {"a": [value] * rows, "b": [2.0] * rows}, start_s=self.at_s)
            for device, value in values.items()
        ]
        self.at_s += rows
        outcome = self.consumer.step(entries, self.clock.now_us())
        self.consumer.committed(outcome)
        found = [row for one in outcome.derived for row in one.rows.to_pylist()]
        self.events += [row["text"] for row in found if row["name"] == "model/m/event"]
        return [row["value"] for row in found if row["name"] == "model/m/score"]

    def later(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def make_good(self, version: int) -> None:
        self.add(version, graphs.good())
        self.see(1.0)
        self.later(60)
        self.see(1.0)
        self.later(600)
        self.see(1.0)
        assert self.slot.proven
        assert self.slot.active == version

    @property
    def slot(self) -> Slot:
        return self.store.get("m")


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    yield made
    made.consumer.close()


def test_a_version_scores_in_shadow_before_its_scores_count(site) -> None:
    """And then they do, from one step to the next."""
    site.add(1, graphs.good())
    assert site.see(1.0) == []
    site.later(60)
    assert site.see(1.0) == []
    assert site.slot.active == 1
    assert site.see(1.0) == [1.5] * 10
    assert any('"active"' in text for text in site.events)


def test_two_versions_never_share_a_step(site) -> None:
    """Every reading gets one score, of one version."""
    site.make_good(1)
    site.add(2, graphs.scaled(1.5), scores=[3.0, 4.5])
    assert site.see(1.0) == [1.5] * 10
    site.later(60)
    assert site.see(1.0) == [1.5] * 10
    assert site.see(1.0) == [2.25] * 10


@pytest.mark.parametrize(
    ("graph", "reason"),
    [
        (graphs.raises_when_hot, "out of data bounds"),
        (graphs.stalls_when_hot, "did not answer"),
        (graphs.nan_when_hot, "not finite"),
    ],
)
def test_a_version_that_goes_wrong_in_shadow_is_rejected(site, graph, reason) -> None:
    """The active version scores the same readings as if nothing had been."""
    site.make_good(1)
    site.add(2, graph())
    assert len(site.see(1.0)) == 10
    assert site.see(60.0) == [31.0] * 10
    assert (site.slot.active, site.slot.candidate) == (1, None)
    assert reason in site.slot.refused[-1].reason


@pytest.mark.parametrize(
    ("graph", "reason"),
    [
        (graphs.raises_when_hot, "out of data bounds"),
        (graphs.stalls_when_hot, "did not answer"),
        (graphs.nan_when_hot, "not finite"),
    ],
)
def test_a_version_that_goes_wrong_when_active_is_rolled_back_within_the_step(
    site, graph, reason
) -> None:
    """Not one of its wrong scores is journalled: the last good version scores those readings."""
    site.make_good(1)
    site.add(2, graph())
    site.see(1.0)
    site.later(60)
    site.see(1.0)
    assert site.slot.active == 2
    assert site.see(60.0) == [31.0] * 10
    assert (site.slot.active, site.slot.proven) == (1, True)
    assert reason in site.slot.refused[-1].reason


def test_a_version_that_was_good_for_long_is_rolled_back_too(site) -> None:
    """What no version may do, none may ever do."""
    site.make_good(1)
    site.add(2, graphs.nan_when_hot())
    site.see(1.0)
    site.later(60)
    site.see(1.0)
    site.later(600)
    site.see(1.0)
    assert site.slot.proven
    assert site.see(60.0) == [31.0] * 10
    assert site.slot.active == 1


def test_a_version_that_calls_everything_faulty_does_not_become_active(site) -> None:
    """It is rejected as soon as there are enough rows, before shadow is over."""
    site.make_good(1)
    site.add(2, graphs.good(), threshold=0.5)
    site.see(1.0)
    assert "faulty" in site.slot.refused[-1].reason
    assert site.slot.active == 1


def test_a_version_that_cries_wolf_only_after_the_switch_is_rolled_back(site) -> None:
    """On probation the former version still sees the same readings."""
    site.make_good(1)
    site.add(2, graphs.good(), threshold=2.5)
    site.see(1.0)
    site.later(60)
    site.see(1.0)
    assert site.slot.active == 2
    site.see(9.0)
    assert site.slot.active == 1
    assert "faulty" in site.slot.refused[-1].reason


def test_a_real_fault_rolls_nothing_back(site) -> None:
    """Both versions call it faulty."""
    site.make_good(1)
    site.add(2, graphs.good(), threshold=9.0)
    site.see(1.0)
    site.later(60)
    site.see(1.0)
    site.see(60.0)
    assert site.slot.active == 2


def test_a_power_cut_in_shadow_leaves_the_active_version_running(site) -> None:
    """The candidate is loaded again by the poller; nothing of it was visible."""
    site.make_good(1)
    site.add(2, graphs.good())
    site.see(1.0)
    site.open()
    assert site.see(1.0) == [1.5] * 10
    assert (site.slot.active, site.slot.candidate, site.slot.phase) == (1, 2, "shadow")


def test_three_power_cuts_on_probation_end_on_the_last_good_version(site) -> None:
    """Whether or not the version is what takes the power."""
    site.make_good(1)
    site.add(2, graphs.good())
    site.see(1.0)
    site.later(60)
    site.see(1.0)
    assert site.slot.active == 2
    for _ in range(3):
        site.open()
    assert (site.slot.active, site.slot.proven) == (1, True)
    assert site.see(1.0) == [1.5] * 10


def test_an_active_version_whose_files_are_damaged_gives_way_at_the_start(site) -> None:
    """An SD card forgets; the last good version is another file."""
    site.make_good(1)
    site.make_good(2)
    site.consumer.close()
    (site.folder / "models" / "m" / "2" / "model.onnx").write_bytes(b"nonsense")
    site.open()
    assert site.see(1.0) == [1.5] * 10
    assert site.slot.active == 1


def test_a_rollback_by_hand_takes_effect_at_the_next_step(site) -> None:
    """And the version that was left does not come back by itself."""
    site.make_good(1)
    site.add(2, graphs.scaled(1.5), scores=[3.0, 4.5])
    site.see(1.0)
    site.later(60)
    site.see(1.0)
    site.store.change("m", lambda slot, now: machine.step_back(slot, "asked for", now))
    assert site.see(1.0) == [1.5] * 10
    assert machine.want(site.slot, 2, 0).candidate is None


def test_every_step_is_journalled_once(site) -> None:
    """In order, with version and state."""
    site.make_good(1)
    states = [text.split('"state":"')[1].split('"')[0] for text in site.events]
    assert states == ["downloading", "verified", "checked", "shadow", "active", "good"]
    assert site.slot.untold == ()


def test_a_first_version_that_fails_in_shadow_leaves_no_model_and_says_why(site) -> None:
    """There is nothing to fall back to, and nothing scores: that is better than nonsense."""
    site.add(1, graphs.nan_when_hot())
    site.see(1.0)
    assert site.see(60.0) == []
    assert (site.slot.active, site.slot.candidate) == (None, None)
    assert "not finite" in site.slot.refused[-1].reason
    assert '"rejected"' in site.events[-1]
    site.make_good(2)


def test_a_first_version_that_fails_on_probation_leaves_no_model_and_says_why(site) -> None:
    """Its wrong scores are not journalled, and readings go on."""
    site.add(1, graphs.nan_when_hot())
    site.see(1.0)
    site.later(60)
    site.see(1.0)
    assert site.see(1.0) == [1.5] * 10
    assert site.see(60.0) == []
    assert site.slot.active is None
    assert "no version is left to run" in site.events[-1]
    site.make_good(2)


def test_a_device_that_only_the_new_version_calls_faulty_is_named_and_rolls_nothing_back(
    site,
) -> None:
    """In shadow and on probation: it may be right about that one."""
    site.make_good(1)
    site.add(2, graphs.good(), threshold=2.5)
    site.see(1.0, rows=30, odd=9.0)
    assert site.slot.odd == ("d3",)
    assert any("odd at d3: 100.0% of 30 rows" in text for text in site.events)
    site.later(60)
    site.see(1.0, rows=30, odd=9.0)
    site.see(1.0, rows=30, odd=9.0)
    assert (site.slot.active, site.slot.odd) == (2, ("d3",))
    assert site.consumer.scored()["d3"] == {"m": 2}
