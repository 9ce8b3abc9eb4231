"""The shipped model in the real LiteRT, and models that are not what they say."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from cloud_sync.models.making import train as train_main
from edge_agent.inputs.simulated.faults import Fault, FaultName
from edge_agent.inputs.simulated.pump import NAMES, Pump
from gateway.inference import SHIPPED_MODELS, ModelConfig
from gateway.inference.consumer import InferenceConsumer, thresholds
from gateway.rules import RuleConfig, resolve
from gateway.rules.consumer import RulesConsumer
from headrace import cards
from headrace.derived import decode_alert
from headrace.errors import ModelError
from headrace.metrics import Metrics
from headrace.models.runtime import LiteRtScorer
from tests.gateway_entries import SECOND, START, journalled, wide

PUMP = ModelConfig(name="pump")


def measured(seed: int, seconds: int, fault: Fault | None = None) -> np.ndarray:
    pump = Pump(seed=seed, step_s=1.0, fault=fault)
    return np.array([pump.step() for _ in range(seconds)])


@pytest.fixture(scope="module")
def scorer() -> LiteRtScorer:
    return LiteRtScorer(*cards.read(SHIPPED_MODELS / "pump"))


def test_the_shipped_model_is_of_the_simulated_pumps_series() -> None:
    """By name, in the order of the simulation."""
    assert cards.read_card(SHIPPED_MODELS / "pump").feature_names == NAMES


def test_an_hour_of_a_pump_that_was_never_seen_raises_no_false_alarm(scorer: LiteRtScorer) -> None:
    """Five pumps, 3,600 readings each."""
    threshold = thresholds([PUMP])["pump"]
    over = [int((scorer.score(measured(seed, 3_600)) > threshold).sum()) for seed in range(1, 6)]
    assert over == [0, 0, 0, 0, 0]


@pytest.mark.parametrize("fault", ["bearing_wear", "cavitation", "blockage"])
def test_a_fault_is_seen_within_seconds_of_its_onset(
    scorer: LiteRtScorer, fault: FaultName
) -> None:
    """With the ramp of ten seconds that a fault has by default, for every pump that was tried."""
    threshold = thresholds([PUMP])["pump"]
    for seed in range(1, 6):
        scores = scorer.score(measured(seed, 90, Fault(fault, after_s=60, ramp_s=10)))
        first = int(np.argmax(scores > threshold))
        assert 60 <= first <= 65, (seed, first)


def test_from_readings_over_scores_to_an_alert() -> None:
    """Inference and rules as the gateway runs them, one after the other through the journal."""
    metrics = Metrics("gateway")
    inference = InferenceConsumer([PUMP], metrics)
    rule = RuleConfig(name="pump-odd", kind="score", model="pump", for_s=2)
    rules = RulesConsumer(resolve([rule], thresholds([PUMP])), metrics, START)
    said = []
    columns = measured(3, 90, Fault("bearing_wear", after_s=60, ramp_s=10)).T.tolist()
    for at in range(0, 90, 10):
        part = {name: values[at : at + 10] for name, values in zip(NAMES, columns, strict=True)}
        now = START + (at + 10) * SECOND
        scored = inference.step([wide("pump-3", part, start_s=at)], now)
        inference.committed(scored)
        outcome = rules.step(journalled(scored.derived, received_at=now), now)
        rules.committed(outcome)
        said += [
            (decode_alert(row["text"]).state, row["time"].timestamp() - START / SECOND)
            for one in outcome.derived
            for row in one.rows.to_pylist()
        ]
    assert [state for state, _ in said] == ["pending", "firing"]
    assert 60 <= said[0][1] <= 65
    assert metrics.value("inference_rows", model="pump") == 90


def test_absurd_numbers_give_a_large_finite_score(scorer: LiteRtScorer) -> None:
    """What leaves a model's range is as far from normal as can be said, not NaN."""
    scores = scorer.score(np.full((2, 8), 1e300))
    assert np.isfinite(scores).all()
    assert (scores > 1e6).all()


def test_a_graph_that_is_not_its_cards_is_refused(tmp_path: Path) -> None:
    """The checksum is checked before the graph reaches the interpreter."""
    shutil.copytree(SHIPPED_MODELS / "pump", tmp_path / "pump")
    graph = tmp_path / "pump" / "model.tflite"
    graph.write_bytes(graph.read_bytes()[:-1] + b"x")
    with pytest.raises(ModelError, match="sha256"):
        InferenceConsumer([ModelConfig(path=tmp_path / "pump")], Metrics("gateway"))


@pytest.mark.parametrize("graph", [b"", b"not a graph", b"\x18\x00\x00\x00TFL3" + b"\x00" * 64])
def test_bytes_that_are_no_graph_are_refused(graph: bytes) -> None:
    """Whatever the card says of them."""
    with pytest.raises(ModelError, match="pump"):
        LiteRtScorer(cards.read_card(SHIPPED_MODELS / "pump"), graph)


def test_a_card_with_other_features_than_the_graph_is_refused() -> None:
    """Found at the start, not at the first reading."""
    card, graph = cards.read(SHIPPED_MODELS / "pump")
    fewer = cards.msgspec.structs.replace(card, features=card.features[:5])
    with pytest.raises(ModelError, match="5 float32 features"):
        LiteRtScorer(fewer, graph)


def test_equal_seeds_train_equal_models(tmp_path: Path) -> None:
    """A model can be made again from its card."""
    table = measured(1, 600)
    lines = [",".join(["time", *NAMES])]
    lines += [",".join(map(repr, [float(at), *row])) for at, row in enumerate(table.tolist())]
    (tmp_path / "normal.csv").write_text("\n".join(lines) + "\n")
    for out in ("one", "two"):
        arguments = ["--csv", str(tmp_path / "normal.csv"), "--out", str(tmp_path / out)]
        train_main([*arguments, "--name", "p", "--max-epochs", "5"], standalone_mode=False)
    one, two = (cards.read(tmp_path / out) for out in ("one", "two"))
    assert one == two
