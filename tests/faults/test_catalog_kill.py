"""SIGKILL at steps of keeping series and quality: each reading counts once, and nothing is left behind in the end.

A few of the steps; HEADRACE_LONG_TESTS=1 takes all of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cloud_sync.landing.parquet import DAY_US
from headrace.lake.catalogue import NAMESPACE, open_catalogue
from tests.faults.catalog_launcher import keep
from tests.faults.maintain_launcher import NOW_US, maintain
from tests.faults.stepping import chosen, count, launch
from tests.journals import Journal, readings
from tests.lakes import pipeline, settings

TABLES = ("series", "quality")


def make_data(folder: Path) -> None:
    """Two landings of a day, of which the tables know the first."""
    config, path = settings(folder), pipeline(settings(folder))
    for at in range(2):
        journal = Journal(config.journal.path)
        start = NOW_US - DAY_US + at * 3_600_000_000
        rows = readings(200, start_us=start, step_us=1_000_000, seed=at)
        journal.append("pump", rows, received_at=NOW_US, stream=f"{at:016x}")
        journal.close()
        path.land()
        path.register()
        if at == 0:
            keep(folder)


def rows(folder: Path, table: str) -> list[dict[str, Any]]:
    found = open_catalogue(settings(folder).lake).load_table((NAMESPACE, table))
    told: list[dict[str, Any]] = found.scan().to_arrow().to_pylist()
    return told


def files(folder: Path, table: str) -> tuple[set[Path], set[Path]]:
    """Data files that are there, and those that the table names."""
    found = open_catalogue(settings(folder).lake).load_table((NAMESPACE, table))
    place = Path(found.location().removeprefix("file://"))
    named = {task.file.file_path.removeprefix("file://") for task in found.scan().plan_files()}
    return set(place.rglob("data/**/*.parquet")), {Path(each) for each in named}


def test_killed_at_any_step_series_and_quality_count_each_reading_once(tmp_path: Path) -> None:
    """Each chosen step is the last one; the next round brings the tables up, a day of maintenance tidies."""
    make_data(tmp_path / "count" / "0")
    fatal = chosen(count("catalog", tmp_path / "count"), parts=3)
    root = tmp_path / "killed"
    for index in range(len(fatal)):
        make_data(root / str(index))
    assert launch("catalog", root, fatal) == ["killed"] * len(fatal)
    for index, step in enumerate(fatal):
        folder = root / str(index)
        keep(folder)
        series, quality = (rows(folder, table) for table in TABLES)
        assert {row["name"]: row["readings"] for row in series} == dict.fromkeys(
            ("s0", "s1", "s2", "s3"), 100
        )
        days = {(row["date"], row["name"]) for row in quality}
        assert (len(days), sum(row["readings"] for row in quality)) == (len(quality), 400)
        maintain(folder, NOW_US + 2 * DAY_US)
        for table in TABLES:
            there, named = files(folder, table)
            assert there == named, f"left behind after step {step}"
