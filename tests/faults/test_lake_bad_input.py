"""What others do to the table and to names, and full disks: each is said, and the rest goes on."""

from __future__ import annotations

import logging
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pyiceberg.types import StringType

from cloud_sync.config import CloudSync
from cloud_sync.pipeline import Pipeline
from headrace.errors import LakeUnavailable, StorageFull
from headrace.lake.catalogue import load_readings, open_catalogue
from headrace.lake.store import LocalStore
from tests.journals import START_US, Journal, batch, readings
from tests.lakes import ask, assert_each_once, identities, journalled, pipeline, settings


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "gateway" / "journal.db")
    made.append("pump", readings(50))
    yield made
    made.close()


@pytest.fixture
def config(tmp_path: Path) -> CloudSync:
    return settings(tmp_path)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a small file system can only be mounted by root")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_table_with_more_columns_takes_readings_all_the_same(
    tmp_path: Path, journal: Journal, config: CloudSync
) -> None:
    """Someone has added a column and a snapshot of his own between two registrations."""
    path = pipeline(config)
    path.land()
    path.register()
    table = load_readings(open_catalogue(config.lake))
    assert table is not None
    with table.update_schema() as change:
        change.add_column("note", StringType())
    table.append(table.scan(limit=1).to_arrow())
    table.delete("seq == 7")
    journal.append("pump", readings(50, seed=1))
    path.land()
    assert path.register() == 50
    found = table.refresh().scan().to_arrow()
    assert (found.num_rows, found["note"].null_count) == (100, 100)  # one added, one deleted


def test_a_table_without_one_of_our_columns_is_left_alone(
    tmp_path: Path, journal: Journal, config: CloudSync
) -> None:
    """What was landed waits there; nothing is put into the wrong column."""
    path = pipeline(config)
    path.land()
    path.register()
    table = load_readings(open_catalogue(config.lake))
    assert table is not None
    with table.update_schema(allow_incompatible_changes=True) as change:
        change.rename_column("value", "reading")
    journal.append("pump", readings(50, seed=1))
    path.land()
    assert path.register() == 0
    assert "the table has no column 'value'" in str(path.registrar.held[0])
    with table.update_schema(allow_incompatible_changes=True) as change:
        change.rename_column("reading", "value")
    assert path.register() == 50


def test_a_property_that_makes_retries_is_put_back(
    tmp_path: Path, journal: Journal, config: CloudSync, caplog: pytest.LogCaptureFixture
) -> None:
    """pyiceberg's own retry would append files on top of another registrar's commit of them."""
    path = pipeline(config)
    path.land()
    path.register()
    table = load_readings(open_catalogue(config.lake))
    assert table is not None
    with table.transaction() as change:
        change.set_properties({"commit.retry.num-retries": "4"})
    journal.append("pump", readings(50, seed=1))
    path.land()
    with caplog.at_level(logging.WARNING):
        assert path.register() == 50
    assert "is put back" in caplog.text
    assert table.refresh().properties["commit.retry.num-retries"] == "0"


def test_a_late_registrar_cannot_set_a_watermark_back(
    tmp_path: Path, journal: Journal, config: CloudSync
) -> None:
    """Its manifests hold no files for the table: their commit depends on the snapshot all the same."""
    pipeline(config).land()
    pipeline(config).register()
    journal.append("lost", batch(["t"], [1], [1.0]))  # of 1970: beside the table
    late = pipeline(config)
    late.land()
    manifests = late.registrar.check(late.registrar.next().manifests)
    journal.append("pump", readings(50, seed=1))
    first: Pipeline = pipeline(config)
    first.land()
    assert first.register() == 50
    late.registrar.commit(manifests)  # read back: it is in
    assert first.register() == 0
    assert_each_once(identities(config.lake, None), journalled(journal.path))


def test_a_series_that_changes_type_and_unit_keeps_every_reading(
    tmp_path: Path, journal: Journal, config: CloudSync
) -> None:
    """A number, then text, then a number of another unit: each in its column, in one table."""
    at = START_US
    journal.append("door", batch(["state"], [at], [1.0]), units={"state": "1"})
    pipeline(config).land()
    journal.append("door", batch(["state"], [at + 1], [None], ["open"]))
    journal.append("door", batch(["state"], [at + 2], [20.5]), units={"state": "Cel"})
    path = pipeline(config)
    path.land()
    path.register()
    sql = "SELECT value, text, unit FROM readings WHERE device = 'door' ORDER BY time"
    assert [tuple(row.values()) for row in ask(config.lake, None, sql).to_pylist()] == [
        (1.0, None, "1"), (None, "open", None), (20.5, None, "Cel"),
    ]  # fmt: skip


def test_a_store_that_is_away_blocks_nobody(
    tmp_path: Path, journal: Journal, config: CloudSync
) -> None:
    """That a store does not answer says nothing about a landing."""

    class Away(LocalStore):
        def _size(self, path: str) -> int | None:
            raise TimeoutError("timed out")

    pipeline(config).land()
    whole = pipeline(config)
    parts = replace(whole._parts, store=Away(config.lake.folder))
    path = pipeline(config, parts)
    with pytest.raises(LakeUnavailable):
        path.register()
    assert path.registrar.held == ()


def test_two_gateways_under_one_name_are_noticed(tmp_path: Path, config: CloudSync) -> None:
    """By landings that lie in between each other; both are registered, and it is said."""
    journals = [Journal(tmp_path / name / "journal.db", site="twin") for name in ("one", "two")]
    for seed in range(2):
        for journal in journals:
            journal.append(journal.path.parent.name, readings(10, seed=seed))
            own = replace(config, journal=type(config.journal)(path=journal.path))
            pipeline(own).land()
    path = pipeline(config)
    assert path.register() == 40
    (warning,) = path.registrar.warnings
    assert "site twin: two gateways use this name" in warning


def test_a_replaced_journal_is_not_taken_for_a_second_gateway(
    tmp_path: Path, config: CloudSync
) -> None:
    """The old one lands no more when the new one begins."""
    for name in ("old", "new"):
        journal = Journal(tmp_path / name / "journal.db", site="twin")
        for seed in range(2):
            journal.append(name, readings(10, seed=seed))
            own = replace(config, journal=type(config.journal)(path=journal.path))
            pipeline(own).land()
    path = pipeline(config)
    assert path.register() == 40
    assert path.registrar.warnings == ()


def test_a_full_disk_is_said_and_nothing_is_lost(small_disk: Path) -> None:
    """A real file system of a few MiB: landing and registering stop, and go on when there is room."""
    folder = small_disk
    journal = Journal(folder.parent / "big" / "journal.db")
    for seed in range(2):
        journal.append("pump", readings(20_000, seed=seed))
    config = replace(
        settings(folder.parent),
        journal=type(settings(folder).journal)(path=journal.path),
        lake=type(settings(folder).lake)(uri=str(folder / "lake")),
    )
    ballast = folder / "ballast"
    room = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    ballast.write_bytes(b"\0" * (room - 64 * 1024))
    with pytest.raises(StorageFull, match="free space on that disk"):
        pipeline(config).land()
    ballast.write_bytes(b"\0" * (room - 300 * 1024 * 2))
    path = pipeline(config)
    assert path.land() == 40_000
    left = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    with (folder / "more").open("wb") as more:
        more.write(b"\0" * left)
    with pytest.raises((LakeUnavailable, StorageFull)):
        path.register()
    ballast.unlink()
    assert path.register() == 40_000
    assert_each_once(identities(config.lake, None), journalled(journal.path))
    journal.close()
