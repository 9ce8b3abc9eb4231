"""The story of three versions, told by the real programs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from headrace.models.store import read_slots


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", *map(str, words)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=280)


def test_a_worse_version_is_rolled_back_and_a_better_one_reaches_everybody(tmp_path) -> None:
    """Two gateways and four devices end on version 3; the canary says why it left version 2."""
    data = tmp_path / "story"
    told = run("headrace.cli", "demo-models", "--data", data)
    assert told.returncode == 0, told.stdout + told.stderr
    for line in (
        "all four devices report version 1",
        "version 2 is rolled back, by nobody's hand",
        "all four devices report version 3",
    ):
        assert line in told.stdout
    own = ["agents/north-pump-1", "agents/north-pump-2", "agents/south-pump-1"]
    places = ["north", "south", *own]
    slots = [read_slots(data / place / "models" / "slots") for place in places]
    assert [[slot.active for slot in found] for found in slots] == [[3]] * 5
    [canary], [south] = slots[0], slots[1]
    assert [refused.version for refused in canary.refused] == [2]
    assert "running version" in canary.refused[0].reason
    assert south.refused == ()
    _trained_in_the_lake(data)
    _steps_are_in_the_lakes_view(data)


def _trained_in_the_lake(data: Path) -> None:
    """Every card names the table, its snapshot and the range; the second one is of nights alone."""
    found = [
        json.loads(next((data / "repository/targets/models/pump" / version).glob("*.manifest.json")).read_bytes())
        for version in "123"
    ]  # fmt: skip
    cards = [manifest["lineage"] for manifest in found]
    assert {(card["table"], card["snapshot"] > 0) for card in cards} == {
        ("headrace.readings", True)
    }
    assert "device GLOB 'north-*'" in cards[1]["sql"]
    assert [card["last"][11:13] for card in cards] == ["12", "00", "12"]


def _steps_are_in_the_lakes_view(data: Path) -> None:
    """Of the gateway and of the device that runs models itself."""
    place = data / "query"
    (place / "gateway").mkdir(parents=True)
    (place / "gateway" / "journal.db").symlink_to(data / "north" / "journal.db")
    sql = "SELECT device, version, state FROM models ORDER BY time"
    asked = run("headrace.cli", "query", "--data", place, "--format", "json", sql)
    assert asked.returncode == 0, asked.stderr
    found = {(row["device"], row["version"], row["state"]) for row in json.loads(asked.stdout)}
    assert {("gateway-north", 2, "active"), ("gateway-north", 2, "rolled_back")} <= found
    assert ("north-pump-1", 1, "good") in found
