"""What DuckDB has put on disk goes with its process, also where that is killed: then with the next start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from cloud_sync.compute.engines.duckdb import DuckdbEngine
from cloud_sync.config import DuckdbOptions
from headrace.errors import LakeUnavailable
from headrace.lake import spill
from headrace.lake.config import Lake
from headrace.lake.spill import Spill
from tests.computed import ComputedLake, computed_lake, fill
from tests.servers import wait_until

#: An engine that has little memory and sorts a lot.
_SORTING = """
import sys
from cloud_sync.compute.engines.duckdb import DuckdbEngine
from cloud_sync.config import DuckdbOptions
from headrace.lake.config import Lake
with DuckdbEngine(DuckdbOptions(memory_mb=128), Lake(uri=sys.argv[1])) as engine:
    engine._db.execute("CREATE TABLE sorted AS SELECT hash(i) AS x FROM range(1_000_000_000) t(i) ORDER BY x")
"""


@pytest.fixture
def lake(tmp_path: Path) -> ComputedLake:
    made = computed_lake(tmp_path)
    fill(made, days=1)
    made.journal.close()
    return made


def root(lake: ComputedLake) -> Path:
    return lake.config.lake.folder / f".spill-{os.geteuid()}"


def killed(argv: list[str], when: Callable[[], bool], log: Path) -> None:
    """Start a process, and kill it when something has come true."""
    with log.open("wb") as errors:
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=errors)
    try:
        wait_until(lambda: when() or process.poll() is not None, 60, "it has begun")
        assert process.poll() is None, log.read_text()
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()


def test_what_a_killed_computation_has_spilled_goes_with_the_next_run(
    lake: ComputedLake, tmp_path: Path
) -> None:
    """It lies on the lake's disk, and not in a temporary folder, which may be memory."""
    place = root(lake)
    argv = [sys.executable, "-c", _SORTING, str(lake.config.lake.folder)]
    killed(argv, lambda: any(place.glob("*/*")), tmp_path / "log")
    assert sum(path.stat().st_size for path in place.rglob("*") if path.is_file()) > 0
    lake.run()
    assert not place.exists()


def test_what_a_killed_query_has_left_goes_with_the_next_one(
    lake: ComputedLake, tmp_path: Path
) -> None:
    """While one that is alive keeps its own."""
    place = root(lake)
    ask = [
        sys.executable,
        "-m",
        "headrace.cli",
        "query",
        "--data",
        str(lake.folder),
        "--format",
        "csv",
    ]
    # Its output is not read, so it stands still in the middle of an answer.
    endless = [*ask, "SELECT a.seq, b.seq FROM readings a, readings b"]
    killed(endless, lambda: any(place.glob("*")), tmp_path / "log")
    (left,) = place.iterdir()
    alive = Spill(lake.config.lake)
    assert not left.exists()
    done = subprocess.run(
        [*ask, "SELECT 1"], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == ["1", "1"]
    assert alive.folder.is_dir()
    alive.close()
    assert not place.exists()


def test_a_lake_elsewhere_and_one_that_is_read_only_have_the_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Below a name of this user's; what is somebody else's is not trusted."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / f".spill-{os.geteuid()}").write_text("in the way")
    for lake in (Lake(uri="s3://bucket/lake"), Lake(uri=str(tmp_path / "lake"))):
        spill = Spill(lake)
        assert spill.folder.parent == tmp_path / "tmp" / f"headrace-spill-{os.geteuid()}"
        assert spill.max_bytes > 0
        spill.close()
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_folder_that_nobody_closed_goes_with_its_engine(tmp_path: Path) -> None:
    """One that failed while it was made."""
    folder = Spill(Lake(uri=str(tmp_path))).folder
    assert not folder.exists()


def test_what_does_not_fit_on_the_disk_either_is_said_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest of the disk is left to others."""
    import ibis

    monkeypatch.setattr(spill, "SPILL_SHARE", 0.0)
    numbers = ibis.range(0, 30_000_000).unnest().name("x").as_table()
    with DuckdbEngine(DuckdbOptions(memory_mb=128), Lake(uri=str(tmp_path))) as engine:
        with pytest.raises(LakeUnavailable, match="or disk for what does not fit") as found:
            list(engine.batches(numbers.order_by(numbers.x.hash())))
        assert "free space on the lake's disk" in found.value.hint
