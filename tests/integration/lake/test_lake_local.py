"""The lake in a folder: landing and registering, with what a real table does over time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud_sync.config import CloudSync, Register
from cloud_sync.landing.parquet import DAY_US
from headrace.journal import JournalReader
from headrace.lake.catalogue import load_readings, open_catalogue
from headrace.lake.store import LocalStore
from tests.journals import START_US, Journal, batch, readings
from tests.lakes import (
    ask,
    assert_each_once,
    cloud_sync,
    identities,
    journalled,
    pipeline,
    settings,
)
from tests.servers import wait_until


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "gateway" / "journal.db")
    yield made
    made.close()


def test_once_lands_registers_and_says_so(tmp_path: Path, journal: Journal) -> None:
    """The JSON is for scripts; a second call finds nothing to do."""
    journal.append("pump", readings(500))
    done = cloud_sync("once", "--data", tmp_path, "--json")
    expected = {"landed": 500, "registered": 500, "watermark": 1, "held": []}
    assert (done.exit_code, json.loads(done.output)) == (0, expected)
    again = json.loads(cloud_sync("once", "--data", tmp_path, "--json").output)
    assert again == {"landed": 0, "registered": 0, "watermark": 1, "held": []}


def test_the_table_is_partitioned_by_day_and_one_commit_holds_files_and_watermark(
    tmp_path: Path, journal: Journal
) -> None:
    """Any Iceberg engine sees a plain table."""
    for day in range(3):
        journal.append("pump", readings(100, start_us=START_US + day * DAY_US))
    path = pipeline(settings(tmp_path))
    path.land()
    path.register()
    table = load_readings(open_catalogue(settings(tmp_path).lake))
    assert table is not None
    assert len(table.snapshots()) == 1
    with JournalReader(journal.path) as reader:
        key = f"headrace.watermark.test.{reader.journal_id}"
    assert table.properties[key] == "3"
    days = {str(task.file.partition[0]) for task in table.scan().plan_files()}
    assert len(days) == 3
    assert table.scan().to_arrow().num_rows == 300
    assert table.scan(row_filter=f"device == 'pump' and seq <= {150}").to_arrow().num_rows == 150


def test_readings_with_odd_times_are_found_and_make_no_partitions(
    tmp_path: Path, journal: Journal
) -> None:
    """Landed or not, registered or not: each is seen once, marked, and no day of the table is theirs."""
    days = [day * DAY_US for day in range(200)]
    journal.append("lost", batch(["t"] * 200, days, [1.0] * 200))
    journal.append("pump", readings(100))
    path = pipeline(settings(tmp_path))
    lake = settings(tmp_path).lake
    marked = "SELECT count(*) AS n FROM readings WHERE clock = 'odd'"
    for step in (lambda: 0, path.land, path.register):
        step()
        assert_each_once(identities(lake, journal.path), journalled(journal.path))
        assert ask(lake, journal.path, marked).to_pylist() == [{"n": 200}]
        newest = ask(lake, journal.path, "SELECT last_time FROM series WHERE device = 'lost'")
        assert newest.to_pylist() == [{"last_time": None}]
    journal.append("lost", batch(["t"], [5], [1.0]))
    assert sum(identities(lake, journal.path).values()) == 301
    table = load_readings(open_catalogue(lake))
    assert table is not None
    assert len(list(table.scan().plan_files())) == 1


def test_a_landing_of_nothing_but_odd_times_holds_nothing_up(
    tmp_path: Path, journal: Journal
) -> None:
    """A manifest without files is registered like any."""
    journal.append("lost", batch(["t"] * 3, [1, 2, 3], [1.0] * 3))
    done = cloud_sync("once", "--data", tmp_path, "--json")
    assert json.loads(done.stdout)["watermark"] == 1
    journal.append("pump", readings(10))
    assert json.loads(cloud_sync("once", "--data", tmp_path, "--json").output)["watermark"] == 2
    assert sum(identities(settings(tmp_path).lake, journal.path).values()) == 13


def test_the_journal_is_held_until_its_rows_have_landed(tmp_path: Path, journal: Journal) -> None:
    """The cursor is required from the first pass on, and moves with the manifests."""
    pipeline(settings(tmp_path)).land()
    with JournalReader(journal.path) as reader:
        assert reader.cursors() == [("lake", 0, True)]
        journal.append("pump", readings(10))
        pipeline(settings(tmp_path)).land()
        assert reader.cursors() == [("lake", 1, True)]


def test_small_landings_follow_each_other_without_holes(tmp_path: Path, journal: Journal) -> None:
    """The bound on rows cuts a backlog into landings; one commit registers them."""
    for seed in range(7):
        journal.append("pump", readings(100, seed=seed))
    path = pipeline(settings(tmp_path, max_rows=250))
    assert path.land() == 700
    manifests = sorted((tmp_path / "lake").rglob("*.json"))
    names = [each.name for each in manifests if "landing" in each.parts]
    assert [name[15:20] + name[36:41] for name in names] == [
        "0000100002", "0000300004", "0000500006", "0000700007",
    ]  # fmt: skip
    assert path.register() == 700


def test_snapshots_expire_and_their_files_go(tmp_path: Path, journal: Journal) -> None:
    """Metadata stays small however long it runs; readings and watermark stay."""
    whole = settings(tmp_path)
    config = CloudSync(journal=whole.journal, lake=whole.lake, register=Register(keep_snapshots=2))
    path = pipeline(config)
    for seed in range(9):
        journal.append("pump", readings(10, seed=seed))
        path.land()
        path.register()
    table = load_readings(open_catalogue(config.lake))
    assert table is not None
    assert len(table.snapshots()) <= 4
    metadata = list((tmp_path / "lake" / "warehouse").rglob("snap-*.avro"))
    assert len(metadata) == len(table.snapshots())
    assert_each_once(identities(config.lake, None), journalled(journal.path))


def test_a_replaced_journal_is_a_new_one_for_the_lake(tmp_path: Path, journal: Journal) -> None:
    """Its offsets start at 1 again and are not taken for registered ones."""
    journal.append("pump", readings(30))
    cloud_sync("once", "--data", tmp_path)
    journal.close()
    for file in (tmp_path / "gateway").iterdir():
        file.unlink()
    fresh = Journal(tmp_path / "gateway" / "journal.db")
    fresh.append("pump", readings(20), stream="00000000000000bb")
    result = json.loads(cloud_sync("once", "--data", tmp_path, "--json").output)
    assert (result["registered"], result["watermark"]) == (20, 1)
    assert sum(identities(settings(tmp_path).lake, fresh.path).values()) == 50


def test_a_query_is_exact_while_landing_and_registering_go_on(
    tmp_path: Path, journal: Journal
) -> None:
    """Racing a writer, a lander, a registrar and a pruner: no reading is missing, none is double."""
    config = settings(tmp_path, max_rows=60)
    journal.append("pump", readings(20))
    stop = threading.Event()
    failures: list[BaseException] = []

    def move() -> None:
        writer = Journal(journal.path)
        writer.seqs = dict(journal.seqs)
        path = pipeline(config)
        try:
            for seed in range(40):
                if stop.is_set():
                    return
                writer.append("pump", readings(20, seed=seed))
                path.land()
                if seed % 3 == 0:
                    path.register()
                with JournalReader(journal.path) as reader:
                    writer.prune(reader.cursor("lake"))
        except BaseException as error:
            failures.append(error)
            raise
        finally:
            writer.close()

    mover = threading.Thread(target=move, name="mover")
    mover.start()
    looks = 0
    newest = 20
    try:
        while mover.is_alive() or looks == 0:
            table = ask(
                config.lake, journal.path,
                "SELECT count(*) n, count(DISTINCT seq) d, min(seq) low, max(seq) high FROM readings",
            )  # fmt: skip
            (row,) = table.to_pylist()
            assert row["n"] == row["d"] == row["high"]
            assert row["low"] == 1
            assert row["high"] >= newest  # what was seen once stays seen
            newest = row["high"]
            looks += 1
    finally:
        stop.set()
        mover.join()
    assert not failures
    assert looks >= 3


def test_bad_configuration_is_all_faults_and_status_2(tmp_path: Path) -> None:
    """With file and key, before anything starts."""
    file = tmp_path / "cloud_sync.toml"
    file.write_text('[lake]\nuri = "ftp://x"\n[lake.s3]\naccess_key_file = "nowhere"\n')
    done = cloud_sync("check-config", "--config", file)
    assert done.exit_code == 2
    assert "2 faults" not in done.output
    for key in ("lake.uri", "lake.s3:", "lake.s3.access_key_file"):
        assert key in done.output
    file.write_text('[landing]\ninterval_s = "often"\nmax_row = 3\n[register]\nverify = "md5"\n')
    done = cloud_sync("run", "--config", file)
    assert done.exit_code == 2
    for key in ("landing.interval_s", "landing.max_row", "register.verify"):
        assert key in done.output


def test_the_sample_configuration_is_the_defaults(tmp_path: Path) -> None:
    """What the sample shows is what happens without it."""
    from cloud_sync import config as configuration

    file = tmp_path / "cloud_sync.toml"
    file.write_text(cloud_sync("sample-config").output)
    assert configuration.load(file) == CloudSync()
    assert cloud_sync("check-config", "--config", file).exit_code == 0


def test_once_without_a_journal_fails_and_says_what_to_do(tmp_path: Path) -> None:
    """A script must notice."""
    done = cloud_sync("once", "--data", tmp_path)
    assert done.exit_code == 1
    assert "start the gateway" in done.output


def test_run_waits_for_a_journal_lands_and_ends_cleanly_on_sigterm(tmp_path: Path) -> None:
    """Started before the gateway; what came in until the end is landed before it exits."""
    file = tmp_path / "cloud_sync.toml"
    file.write_text(
        f'[journal]\npath = "{tmp_path}/gateway/journal.db"\n[lake]\nuri = "{tmp_path}/lake"\n'
        "[landing]\ninterval_s = 0.2\n[register]\ninterval_s = 0.2\n"
    )
    argv = [sys.executable, "-m", "cloud_sync", "run", "--config", str(file)]
    log = tmp_path / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(argv, stderr=out, env=os.environ)
    try:
        wait_until(lambda: b"no journal" in log.read_bytes(), 30, "it says that nothing is there")
        journal = Journal(tmp_path / "gateway" / "journal.db")
        journal.append("pump", readings(100))
        lake = settings(tmp_path).lake
        wait_until(
            lambda: (
                (tmp_path / "lake" / "catalogue.db").exists()
                and sum(identities(lake, None).values()) == 100
            ),
            30,
            "the readings are in the lake",
        )
        journal.append("pump", readings(50, seed=1))
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    assert_each_once(identities(lake, None), journalled(journal.path))
    text = log.read_text()
    assert text.count("no journal") == 1  # said once
    assert "landing: works again" in text


def test_local_objects_are_whole_and_created_once(tmp_path: Path) -> None:
    """Same port, same behaviour as on S3."""
    store = LocalStore(tmp_path)
    assert store.create("a/b.json", b"one")
    assert not store.create("a/b.json", b"two")
    assert store.get("a/b.json") == b"one"
    store.put("a/b.json", b"three")
    assert (store.get("a/b.json"), store.size("a/b.json")) == (b"three", 5)
    assert (store.get("a/none"), store.size("a/none")) == (None, None)
    assert store.names("a") == ["a/b.json"]
    assert store.names("a", after="a/b.json") == []
    assert [each.name for each in (tmp_path / "a").iterdir()] == ["b.json"]
