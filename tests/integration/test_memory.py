"""Memory stays where it is while nobody takes readings away; the whole size is ``tests.bench.memory``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.memory import run
from tests.servers.mosquitto import EXECUTABLE


@pytest.mark.skipif(EXECUTABLE is None, reason="mosquitto is not installed")
def test_memory_does_not_follow_the_journal_while_all_sinks_are_dead(tmp_path: Path) -> None:
    """500 devices, 5,000 series: the journal triples, the gateway does not grow along."""
    samples = run(tmp_path, devices=500, rounds=12)
    settled, last = samples[3], samples[-1]
    assert last.readings == 120_000
    assert last.rss_mb - settled.rss_mb < 40
    assert last.rss_mb < 400
