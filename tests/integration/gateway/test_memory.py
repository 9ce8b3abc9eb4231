"""Memory stays where it is while nobody takes readings away; the whole size is ``tests.bench.memory``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.memory import run
from tests.servers.mosquitto import EXECUTABLE


@pytest.mark.skipif(EXECUTABLE is None, reason="mosquitto is not installed")
def test_memory_stays_below_its_bound_while_all_sinks_are_dead(tmp_path: Path) -> None:
    """500 devices, 5,000 series: ring and live view fill up as they may, and nothing beside them."""
    first, *_, last = run(tmp_path, devices=500, rounds=10)
    assert last.readings == 500_000
    assert last.journal_mb > 2 * first.journal_mb
    # 100 bytes a reading: 60 in the ring of newest batches, 20 in the live view.
    assert last.own_mb - first.own_mb < 60
    assert last.own_mb < 300
