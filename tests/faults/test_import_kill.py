"""SIGKILL at every step of an import: each row of the files is in the lake once, whatever was killed."""

from __future__ import annotations

from pathlib import Path

from tests.faults.stepping import chosen, count, launch
from tests.imports import readings, run

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
    steps = count("import", tmp_path / "count")
    assert steps >= 40
    root = tmp_path / "killed"
    fatal = chosen(steps, parts=8)
    wanted = [make_files(root / str(index)) for index in range(len(fatal))]
    assert launch("import", root, fatal) == ["killed"] * len(fatal)
    # The second run is killed too, at another step; the third is left alone.
    launch("import", root, [7 + 5 * (index % 6) for index in range(len(fatal))])
    for index, expected in enumerate(wanted):
        folder = root / str(index)
        run(folder, (folder / "tables.toml").read_text().replace("FOLDER", str(folder)))
        found = in_the_lake(folder)
        assert (len(found), set(found)) == (len(expected), expected)
