"""SIGKILL at every step of an import: each row of the files is in the lake once, whatever was killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.imports import readings, run

LAUNCHER = Path(__file__).with_name("import_launcher.py")
REPOSITORY = LAUNCHER.parents[2]
NO_KILL = 10**9

TABLES = """
[[imports]]
plugin = "files"
job = "history"
site = "plant"
path = "FOLDER/files"
[imports.mapping]
device_column = "device"
time_format = "unix_s"
"""


def make_files(folder: Path) -> set[tuple[str, str, float]]:
    """Three files of 40 rows with two devices and two series; what is in them."""
    expected = set()
    (folder / "files").mkdir(parents=True)
    (folder / "tables.toml").write_text(TABLES)
    for file in range(3):
        lines = ["time,device,a,b"]
        for row in range(40):
            second = 1_700_000_000 + file * 86_400 + row
            device = f"pump-{row % 2}"
            lines.append(f"{second},{device},{row},{row + 0.5}")
            expected |= {(device, str(second), float(row)), (device, str(second), row + 0.5)}
        (folder / "files" / f"{file}.csv").write_text("\n".join(lines) + "\n")
    return expected


def launch(root: Path, steps: list[int]) -> list[str]:
    done = subprocess.run(
        [sys.executable, str(LAUNCHER), str(root), *map(str, steps)],
        capture_output=True, text=True, check=True, cwd=REPOSITORY, timeout=170,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    return done.stdout.split("\n")[:-1]


def in_the_lake(folder: Path) -> list[tuple[str, str, float]]:
    rows = readings(
        folder, "SELECT device, epoch(time)::BIGINT::VARCHAR t, value, seq FROM readings"
    )
    numbers = [(row["device"], row["seq"]) for row in rows]
    assert len(set(numbers)) == len(numbers)
    return [(row["device"], row["t"], row["value"]) for row in rows]


def test_killed_at_any_step_an_import_has_each_reading_once(tmp_path: Path) -> None:
    """Every eighth part of the way, and with ``HEADRACE_LONG_TESTS`` each step, is the last one; the next run ends with what a run without kills has."""
    make_files(tmp_path / "count" / "0")
    assert launch(tmp_path / "count", [NO_KILL]) == ["exit 0"]
    steps = int((tmp_path / "count" / "0" / "steps").read_text())
    assert steps >= 40
    root = tmp_path / "killed"
    chosen = list(range(1, steps + 1, 1 if "HEADRACE_LONG_TESTS" in os.environ else steps // 8))
    wanted = [make_files(root / str(index)) for index in range(len(chosen))]
    assert launch(root, chosen) == ["killed"] * len(chosen)
    # The second run is killed too, at another step; the third is left alone.
    launch(root, [7 + 5 * (index % 6) for index in range(len(chosen))])
    for index, expected in enumerate(wanted):
        folder = root / str(index)
        run(folder, (folder / "tables.toml").read_text().replace("FOLDER", str(folder)))
        found = in_the_lake(folder)
        assert (len(found), set(found)) == (len(expected), expected)
