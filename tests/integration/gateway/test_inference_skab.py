"""A model of a real pump test rig: trained on its normal running, tried on its recorded faults."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from cloud_sync.models.frame import read_frames
from cloud_sync.models.train import make_model
from headrace.models.manifest import Lineage
from headrace.models.runtime import LiteRtScorer

BESIDE = Path(__file__).parents[4] / "shared" / "data"
SKAB = Path(os.environ.get("HEADRACE_TEST_DATA", BESIDE)) / "skab"
LABELS = ("anomaly", "changepoint")

needs_skab = pytest.mark.skipif(
    not SKAB.is_dir(), reason=f"no recording at {SKAB}; set HEADRACE_TEST_DATA"
)


@needs_skab
def test_labelled_anomalies_of_a_real_rig_score_higher_than_its_normal_running() -> None:
    """In at least 14 of the 16 experiments, and one and a half times as high in the middle one."""
    files = sorted((SKAB / "valve1").glob("*.csv"))
    options = {"time_column": "datetime", "delimiter": ";"}
    normal = read_frames([SKAB / "anomaly-free" / "anomaly-free.csv"], without=(), **options)
    frames = read_frames(files, without=LABELS, **options)
    assert frames.features == normal.features
    # Each day the rig runs a little differently; the start of an experiment says how.
    starts = tuple(matrix[:400] for matrix in frames.files)
    result = make_model(
        type(normal)(normal.features, (*normal.files, *starts)),
        name="rig", units={}, align_s=1.0, lineage=Lineage(seed=7, trained_on="skab"), max_epochs=60,
    )  # fmt: skip
    scorer = LiteRtScorer(result.card, result.graph)
    ratios = []
    for path, matrix in zip(files, frames.files, strict=True):
        label = np.array([line.split(";")[-2] for line in path.read_text().splitlines()[1:]])
        scores, odd = scorer.score(matrix)[400:], label.astype(float)[400:] == 1.0
        ratios.append(np.median(scores[odd]) / np.median(scores[~odd]))
    assert sum(ratio > 1.0 for ratio in ratios) >= 14, ratios
    assert np.median(ratios) > 1.5, ratios
