"""``cloud-sync maintain``, and rounds of the service: what they say, before and afterwards."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from cloud_sync import cli
from cloud_sync.maintain.report import Day, Report, Size, Table
from headrace.clock import ManualClock
from tests.lakes import assert_each_once, journalled
from tests.maintaining import LATER_US, Lake, append, lake_of, land_and_register
from tests.programs import Programs
from tests.servers import wait_until


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Twelve batches of two days in four landings, registered."""
    append(tmp_path, 12)
    made = lake_of(tmp_path, ManualClock(LATER_US))
    land_and_register(made.config)
    return made


def test_a_dry_run_says_what_would_be_saved_and_changes_nothing(lake: Lake) -> None:
    """Files, bytes and bytes per reading, before and after."""
    before = sorted(path for path in lake.folder.rglob("*") if path.is_file())
    report = lake.round(dry_run=True)
    assert [day.state for day in report.days] == ["would", "would"]
    assert all(day.after.bytes < day.before.bytes and day.after.files == 1 for day in report.days)
    assert sorted(path for path in lake.folder.rglob("*") if path.is_file()) == before


def test_the_command_maintains_and_says_how_the_lake_is(lake: Lake) -> None:
    """By default for people, with --json for scripts."""
    runner = CliRunner()
    dry = runner.invoke(cli.main, ["maintain", "--data", str(lake.folder), "--dry-run"])
    assert dry.exit_code == 0, dry.output
    assert "would: 4 files" in dry.output
    assert dry.output.splitlines()[-1].startswith("well: readings 8 files")
    done = runner.invoke(cli.main, ["maintain", "--data", str(lake.folder), "--json"])
    answer = json.loads(done.stdout)
    assert [day["after"]["files"] for day in answer["days"]] == [1, 1]
    assert answer["health"].startswith("well")


def test_the_command_without_a_lake_has_nothing_to_do(tmp_path: Path) -> None:
    """And makes none."""
    done = CliRunner().invoke(cli.main, ["maintain", "--data", str(tmp_path)])
    assert (done.exit_code, done.output) == (0, "well: no tables\n")
    assert not (tmp_path / "lake").exists()


def test_a_table_that_is_not_there_is_a_problem_of_the_report(lake: Lake) -> None:
    """Exit status 1, and the other tables have their turn."""
    done = CliRunner().invoke(
        cli.main, ["maintain", "--data", str(lake.folder), "--table", "nothing"]
    )
    assert done.exit_code == 1
    assert "no table headrace.nothing" in done.output


def test_the_service_maintains_beside_landing_and_registering(
    tmp_path: Path, programs: Programs
) -> None:
    """A day of last year is dense soon, while batches go on to land; SIGTERM ends it cleanly."""
    append(tmp_path, 12)
    cloud = programs.make("cloud_sync", f"""
[journal]
path = "{tmp_path / "gateway" / "journal.db"}"
[lake]
uri = "{tmp_path / "lake"}"
[landing]
interval_s = 0.2
max_rows = 300
[register]
interval_s = 0.2
[maintain]
interval_s = 0.5
level = 3
""")  # fmt: skip
    cloud.start()
    lake = lake_of(tmp_path, ManualClock(LATER_US))
    wait_until(lambda: "maintaining: " in cloud.output(), 60, f"maintained:\n{cloud.output()}")
    append(tmp_path, 3, first=12)
    wait_until(lambda: sum(lake.identities().values()) == 1_500, 60, "landed and registered")
    assert cloud.stop() == 0
    assert_each_once(lake.identities(), journalled(lake.config.journal.path))
    assert "lake: well: readings" in cloud.output()


def told(report: Report) -> tuple[Sequence[Day], Sequence[Table]]:
    """A report without what a dry run says otherwise: bytes are estimated, and the table is as it was."""
    days = [
        msgspec.structs.replace(day, state="done", after=Size(day.after.files, 0, day.after.rows))
        for day in report.days
    ]
    tables = [
        msgspec.structs.replace(table, size=Size(), waiting_records=0) for table in report.tables
    ]
    return days, tables


def assert_as_it_said(lake: Lake) -> Report:
    """A round does what a dry one says that it would."""
    said = lake.round(dry_run=True)
    done = lake.round()
    assert told(said) == told(done)
    for would, day in zip(said.days, done.days, strict=True):
        assert abs(would.after.bytes - day.after.bytes) <= 0.25 * day.after.bytes, day
    return done


def test_a_round_does_what_a_dry_run_has_said(lake: Lake) -> None:
    """Files, rows, merges, snapshots, days that go and stray metadata, over rounds of a lake that lives."""
    assert [day.merges for day in assert_as_it_said(lake).days] == [1, 1]
    for first in range(12, 24, 3):  # late readings, and commits that push old snapshots out
        append(lake.folder, 3, first=first)
        land_and_register(lake.config)
    lake.clock.advance(61)
    assert assert_as_it_said(lake).tables[0].expired_snapshots
    stray = next((lake.folder / "lake" / "warehouse").rglob("*.metadata.json")).with_name("x.avro")
    stray.write_bytes(b"left by a commit that was refused")
    os.utime(stray, (0, 0))
    lake.clock.advance(61)
    table = assert_as_it_said(lake).tables[0]
    assert (table.removed_metadata, table.removed_files > 0) == (1, True)
    assert assert_as_it_said(lake.again(keep_days={"readings": 2})).tables[0].retired.rows
    assert not stray.exists()


def test_of_a_running_day_a_dry_run_says_what_stays(lake: Lake) -> None:
    """A large file and small ones: the small ones are merged, the large one is not touched."""
    lake.clock.step_wall(-3 * 86_400 + 600)
    append(lake.folder, 60, first=100, days=1)
    land_and_register(lake.config)
    eager = lake.again(min_files=3)
    eager.round()
    for first in (12, 13, 14):
        append(lake.folder, 1, first=first, days=1)
        land_and_register(lake.config)
    (day,) = assert_as_it_said(eager).days
    assert (day.before.files, day.after.files) == (4, 2)
