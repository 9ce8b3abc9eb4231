from __future__ import annotations

import os
import signal
import subprocess
import sys
from array import array
from pathlib import Path

import numpy as np
import pytest
from skl2onnx import to_onnx
from sklearn.ensemble import IsolationForest

from headrace.errors import ModelError
from headrace.models.manifest import Output
from headrace.models.run import Run, open_run
from headrace.models.sandbox import Sandbox
from tests import graphs, model_repository
from tests.servers import wait_until

COLD = array("d", [1.0, 2.0, 3.0, 4.0]).tobytes()
HOT = array("d", [60.0, 2.0, 3.0, 4.0]).tobytes()


@pytest.fixture
def opened(tmp_path):
    """Opens a graph as a run with a short deadline."""
    runs: list[Run] = []

    def open_(graph: bytes, **more: object) -> Run:
        folder = model_repository.write(tmp_path / f"{len(runs)}", model_repository.packed(graph, **more))  # fmt: skip
        runs.append(open_run(folder, call_timeout_s=0.5))
        return runs[-1]

    yield open_
    for run in runs:
        run.close()


def test_an_onnx_graph_gives_the_scores_that_it_should(opened) -> None:
    """In the order of the rows, over the pipes and back."""
    assert list(opened(graphs.good()).score(COLD)) == [1.5, 3.5]


@pytest.mark.parametrize(
    ("graph", "reason"),
    [
        (graphs.raises_when_hot, "out of data bounds"),
        (graphs.stalls_when_hot, "did not answer within 0.5 s"),
        (graphs.eats_memory_when_hot, "ConstantOfShape node"),
    ],
)
def test_a_model_that_goes_wrong_on_live_readings_costs_its_deadline(opened, graph, reason) -> None:
    """And is told apart by its reason."""
    run = opened(graph())
    assert list(run.score(COLD)) == [1.5, 3.5]
    with pytest.raises(ModelError, match=reason):
        run.score(HOT)


def test_scores_that_are_no_numbers_are_counted_and_finite(opened) -> None:
    """A rule that compares with NaN would stay silent for ever."""
    run = opened(graphs.nan_when_hot())
    assert run.score(HOT)[0] > 1e38
    assert run.evidence.not_finite == 1


def test_a_model_whose_process_is_killed_says_so(opened) -> None:
    """By the kernel when memory runs out, say."""
    run = opened(graphs.good())
    os.kill(run.sandbox.pid, signal.SIGKILL)
    with pytest.raises(ModelError, match="signal 9"):
        run.score(COLD)


@pytest.mark.parametrize(
    ("graph", "more", "reason"),
    [
        (graphs.scaled(2.0), {}, "golden vector 0"),
        (graphs.two_scores(), {}, "one score a row"),
        (graphs.good(), {"features": (("a", ""),), "rows": ((1.0,),), "scores": (1.0,)}, "cannot score|dimension|Got"),
    ],
)  # fmt: skip
def test_a_graph_that_is_not_what_its_manifest_says_does_not_start(
    opened, graph, more, reason
) -> None:
    """Other scores than training gave, another shape, other features."""
    with pytest.raises(ModelError, match=reason):
        opened(graph, **more)


def test_a_file_that_was_changed_on_the_disk_does_not_start(tmp_path) -> None:
    """A bit that fell over, or somebody who helped."""
    folder = model_repository.write(tmp_path, model_repository.packed(graphs.good()))
    graph = folder / "model.onnx"
    graph.write_bytes(graph.read_bytes() + b"\0")
    with pytest.raises(ModelError, match="manifest lies"):
        open_run(folder)


def test_a_large_call_is_cut_into_parts(opened) -> None:
    """Scores come back for every row, in order."""
    rows = array("d", range(2 * 70_000))
    scores = opened(graphs.good()).score(rows.tobytes())
    assert len(scores) == 70_000
    assert scores[69_999] == pytest.approx(139_998.5)


def test_a_model_that_never_starts_is_given_up(tmp_path) -> None:
    """Its process is gone when the error arrives."""
    worker = [sys.executable, "-c", "import time; time.sleep(60)"]
    with pytest.raises(ModelError, match=r"did not answer within 0\.2 s"):
        Sandbox(tmp_path, name="m", start_timeout_s=0.2, worker=worker)


def test_the_process_ends_when_the_program_that_started_it_is_killed(tmp_path) -> None:
    """A gateway that dies must not leave models behind."""
    folder = model_repository.write(tmp_path, model_repository.packed(graphs.good()))
    code = (
        "import sys, os; from pathlib import Path; from headrace.models.run import open_run; "
        "print(open_run(Path(sys.argv[1])).sandbox.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    parent = subprocess.run([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE)
    child = int(parent.stdout)
    wait_until(lambda: not _alive(child), 10, "the model's process ends")


def _alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"


def test_a_forest_of_scikit_learn_scores_as_it_did_where_it_was_trained(tmp_path) -> None:
    """Through skl2onnx; its scores are low where a row is odd, so the manifest turns them round."""
    random = np.random.default_rng(7)
    rows = random.normal(size=(300, 2)).astype(np.float32)
    forest = IsolationForest(n_estimators=20, random_state=7).fit(rows)
    graph = to_onnx(forest, rows[:1], target_opset={"": 17, "ai.onnx.ml": 3}).SerializeToString()
    expected = -forest.decision_function(rows[:4])
    made = model_repository.packed(
        graph, rows=[tuple(map(float, row)) for row in rows[:4]], scores=[float(s) for s in expected],
        outputs=(Output(tensor="scores", negate=True),),
    )  # fmt: skip
    run = open_run(model_repository.write(tmp_path, made))
    odd = run.score(array("d", [9.0, -9.0]).tobytes())[0]
    assert odd > max(expected)
    assert list(run.score(rows[:4].astype(np.float64).tobytes())) == pytest.approx(list(expected), abs=1e-4)  # fmt: skip
    run.close()
