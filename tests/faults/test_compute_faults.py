"""The batch layer when something fails: kills, another process, a store that is away."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloud_sync.compute import region as regions
from cloud_sync.compute.run import states
from cloud_sync.maintain.iceberg import referenced
from cloud_sync.maintain.maintainer import Maintainer
from headrace.clock import ManualClock
from headrace.errors import LakeUnavailable
from headrace.lake.catalogue import NAMESPACE, open_catalogue
from headrace.lake.opening import open_store
from headrace.metrics import Metrics
from tests.computed import (
    DAY_US,
    FIRST_US,
    ComputedLake,
    computed_lake,
    fill,
    same,
)
from tests.programs import Programs
from tests.servers import wait_until


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[ComputedLake]:
    made = computed_lake(tmp_path)
    yield made
    made.journal.close()


def test_a_run_that_met_another_one_leaves_each_row_once(
    lake: ComputedLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second looks again, and finds the day done."""
    fill(lake, days=1)
    real, others = regions.RegionJob._write, []

    def write(self: regions.RegionJob, *args: Any) -> int:
        """The first one's rows are written, and not committed, when the other one runs."""
        rows = real(self, *args)
        if not others:
            others.append("running")
            others.extend(lake.run())
        return rows

    monkeypatch.setattr(regions.RegionJob, "_write", write)
    outcomes = lake.run()
    assert len(others) == 4
    assert [outcome.left for outcome in outcomes] == [(), (), ()]
    same(lake.table("readings_1m"), lake.expected_minutes())


def test_a_failure_before_the_commit_leaves_no_file_behind(
    lake: ComputedLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written goes at once, and the next run is none the wiser."""
    fill(lake, days=1)

    def fail(*_: object, **__: object) -> None:
        raise LakeUnavailable("away")

    with monkeypatch.context() as broken:
        broken.setattr(regions.RegionJob, "_kept", fail)
        lake.run()
        lake.append("pump-1", "flow", [FIRST_US], [1.0])
        lake.register()
        with pytest.raises(LakeUnavailable, match="away"):
            lake.run()
    assert len(list((lake.folder / "lake").glob("warehouse/**/readings_1m/data/computed/*"))) == 1
    lake.run()
    same(lake.table("readings_1m"), lake.expected_minutes())


def test_a_file_that_is_gone_is_an_outage_and_not_a_crash(lake: ComputedLake) -> None:
    """The table is as it was, and the file is named."""
    fill(lake, days=1)
    for path in (lake.folder / "lake").glob("landing/**/*.parquet"):
        path.rename(path.with_suffix(".away"))
    with pytest.raises(LakeUnavailable, match="landing"):
        lake.run()
    for path in (lake.folder / "lake").glob("landing/**/*.away"):
        path.rename(path.with_suffix(".parquet"))
    lake.run()
    same(lake.table("readings_1m"), lake.expected_minutes())


def test_a_killed_run_is_repeated_and_leaves_nothing(lake: ComputedLake, tmp_path: Path) -> None:
    """SIGKILL when the first file is being written; maintenance removes what nobody committed."""
    fill(lake, days=3)
    folder = lake.folder / "lake" / "warehouse"
    argv = [sys.executable, "-m", "cloud_sync", "compute", "run", "--data", str(lake.folder)]
    written = lambda: list(folder.glob("**/readings_1m/data/computed/*.parquet"))  # noqa: E731
    for seen in range(2):
        with (tmp_path / "run.log").open("ab") as log:
            process = subprocess.Popen(argv, stdout=log, stderr=log)
        wait_until(lambda: len(written()) > seen or process.poll() is not None, 60, "a file")  # noqa: B023
        process.kill()
        process.wait()
    lake.run()
    same(lake.table("readings_1m"), lake.expected_minutes())
    clock = ManualClock(FIRST_US + 10_000 * DAY_US)
    maintainer = Maintainer(lake.config, open_store(lake.config.lake), clock, Metrics("cloud_sync"))
    for _ in range(3):
        maintainer.round(tables=["readings_1m"])
        clock.advance(3 * 86_400)
    same(lake.table("readings_1m"), lake.expected_minutes())
    table = open_catalogue(lake.config.lake).load_table((NAMESPACE, "readings_1m"))
    named = {uri.removeprefix("file://") for uri in referenced(table)}
    assert {str(path) for path in written()} <= named


#: The machine's clock, set forward: what a schedule looks at, and nothing else.
_CLOCK_SET = """
import os, time
now_ns = time.time_ns
time.time_ns = lambda: now_ns() + int(os.environ["AHEAD_S"]) * 1_000_000_000
"""

_SERVICE = """
[journal]
path = "{journal}"
[lake]
uri = "{lake}"
[[compute]]
job = "rollups"
schedule = "* * * * *"
"""


def test_a_service_that_is_killed_while_it_computes_on_schedule_goes_on_with_the_next_time(
    lake: ComputedLake, programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tables are whole. Its clock is set so that a minute is nearly over when it starts."""
    fill(lake, days=6)
    (lake.folder / "sitecustomize.py").write_text(_CLOCK_SET)
    paths = [str(lake.folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    folder = lake.config.lake.folder
    settings = _SERVICE.format(journal=lake.config.journal.path, lake=folder)
    service = programs.make("cloud_sync", settings)

    def start() -> None:
        into = int(time.time()) % 60
        monkeypatch.setenv("AHEAD_S", str((52 - into) % 60))
        service.start()

    def is_done() -> bool:
        assert service.running, service.output()[-3000:]
        found = states(lake.config, lake.job())
        return all(state.days == 6 and not state.waiting for state in found)

    start()
    written = "warehouse/**/readings_1m/data/computed/*.parquet"
    wait_until(lambda: any(folder.glob(written)), 150, "the first day is being written")
    service.kill()
    start()
    wait_until(is_done, 150, "all days are computed")
    assert service.stop() == 0
    same(lake.table("readings_1m"), lake.expected_minutes())
    assert "compute rollups: readings_1m: " in service.output()
