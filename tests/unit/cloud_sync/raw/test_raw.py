"""The raw zone on a folder: payloads kept and removed, and readings made of them again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner, Result

from cloud_sync.cli import main
from cloud_sync.config import CloudSync, Raw
from cloud_sync.landing.parquet import DAY_US
from cloud_sync.raw import files
from cloud_sync.raw.keeper import CONSUMER, Keeper
from headrace.clock import ManualClock
from headrace.journal import JournalReader
from headrace.lake.store import LocalStore
from headrace.metrics import Metrics
from tests.journals import START_US, STREAM, Journal, batch, readings
from tests.lakes import ask, pipeline, settings

START = "2025-06-15"
END = "2025-06-18"


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """Two devices, three days of arrival, two batches that cannot come at their times."""
    made = Journal(tmp_path / "gateway" / "journal.db")
    for at in range(6):
        made.append(
            f"pump-{at % 2}", readings(100, start_us=START_US + (at // 2) * DAY_US, seed=at)
        )
    made.append("pump-0", batch(["old", "text"], [1_000_000, START_US], [1.0, None], [None, "x"]))
    yield made
    made.close()


def quarantine(journal: Journal, device: str, format_name: str, payload: bytes) -> None:
    journal.db.execute(
        "INSERT INTO quarantine (received_at, topic, device, format, reason, detail, payload) "
        "VALUES (?, 't', ?, ?, 'bad_value', 'why', ?)",
        (START_US, device, format_name, payload),
    )


def keeper(config: CloudSync, *, days: int = 7, clock: ManualClock | None = None) -> Keeper:
    store = LocalStore(config.lake.folder)
    clock = clock or ManualClock(START_US + 3 * DAY_US)
    return Keeper(replace(config, raw=Raw(days=days)), store, Metrics("cloud_sync"), clock=clock)


def landed(folder: Path) -> CloudSync:
    config = settings(folder)
    keeper(config).keep()
    path = pipeline(config)
    path.land()
    path.register()
    return config


def replayed(folder: Path, *more: str, into: str = "again") -> Result:
    args = ["replay", "--from", START, "--to", END, "--into", into, "--data", str(folder), "--json"]
    return CliRunner().invoke(main, [*args, *more])


def test_payloads_are_kept_as_received_in_files_that_anybody_reads(tmp_path: Path, journal: Journal) -> None:  # fmt: skip
    """A file holds payloads of one day of arrival; a second look finds nothing new."""
    config = settings(tmp_path)
    assert keeper(config).keep() == 7
    assert keeper(config).keep() == 0
    where = config.lake.folder / "raw"
    rows = duckdb.sql(
        f"SELECT day::VARCHAR, number, device, format, payload FROM '{where}/**/*.parquet' ORDER BY number"
    ).fetchall()
    assert [row[0] for row in rows] == ["2025-06-15"] * 2 + ["2025-06-16"] * 2 + ["2025-06-17"] * 2 + ["2025-06-15"]  # fmt: skip
    with JournalReader(config.journal.path) as reader:
        kept = reader.read(0, max_rows=10**9, max_bytes=10**9)
    assert [row[4] for row in rows] == [row.payload for row in kept]


def test_the_journal_holds_what_is_not_kept_yet_and_nothing_when_it_is_off(tmp_path: Path, journal: Journal) -> None:  # fmt: skip
    """A required cursor while it is on; forgotten when it is turned off."""
    config = settings(tmp_path)
    keeper(config).keep()
    with JournalReader(config.journal.path) as reader:
        assert (CONSUMER, 7, True) in reader.cursors()
        keeper(config, days=0).keep()
        assert CONSUMER not in {name for name, _, _ in reader.cursors()}


def test_whole_days_are_removed_when_they_are_too_old(tmp_path: Path, journal: Journal) -> None:
    """Counted from the newest day with payloads, if the clock is ahead of it."""
    config = settings(tmp_path)
    store = LocalStore(config.lake.folder)
    keeper(config, days=1, clock=ManualClock(START_US + 2 * DAY_US)).keep()
    assert {name.day for name in files.listed(store)} == {"2025-06-16", "2025-06-17"}
    keeper(config, days=1, clock=ManualClock(START_US + 5_000 * DAY_US)).keep()
    assert {name.day for name in files.listed(store)} == {"2025-06-16", "2025-06-17"}


def test_a_replay_equals_the_lake(tmp_path: Path, journal: Journal) -> None:
    """Each reading, also those with odd times; the new table is there for anybody."""
    config = landed(tmp_path)
    done = replayed(tmp_path)
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert (result["readings"], result["equal"], result["differences"]) == (602, True, [])
    again = json.loads(replayed(tmp_path).stdout)
    assert (again["readings"], again["equal"]) == (0, True)  # all of it is there already
    assert ask(config.lake, None, "SELECT count(*) AS n FROM readings").to_pylist() == [{"n": 602}]


def test_one_device_is_replayed_alone(tmp_path: Path, journal: Journal) -> None:
    """And a table that is of another replay is not mixed with it."""
    landed(tmp_path)
    done = replayed(tmp_path, "--device", "pump-1")
    assert (json.loads(done.stdout)["readings"], done.exit_code) == (300, 0)
    other = replayed(tmp_path, "--device", "pump-0")
    assert other.exit_code == 2
    assert "not of this replay" in other.output


def test_what_is_different_is_named(tmp_path: Path, journal: Journal) -> None:
    """A day that a device has lost in the raw zone, with its counts; exit status 1."""
    config = landed(tmp_path)
    store = LocalStore(config.lake.folder)
    lost = next(name for name in files.listed(store) if name.day == "2025-06-16")
    store.delete(lost.path)
    done = replayed(tmp_path)
    result = json.loads(done.stdout)
    assert done.exit_code == 1
    assert result["differences"] == [
        "test pump-0 2025-06-16: 100 readings, replayed 0",
        "test pump-1 2025-06-16: 100 readings, replayed 0",
    ]


def test_content_that_is_different_is_found_where_counts_are_the_same(tmp_path: Path, journal: Journal) -> None:  # fmt: skip
    """One value of one reading."""
    config = landed(tmp_path)
    store = LocalStore(config.lake.folder)
    name = next(each for each in files.listed(store) if each.first == 1)
    (payloads,) = files.decode(store, name)
    other = Journal(tmp_path / "other.db")
    other.append("pump-0", readings(100, start_us=START_US, seed=77))
    with JournalReader(tmp_path / "other.db") as reader:
        (row,) = reader.read(0, max_rows=10**6, max_bytes=10**9)
    other.close()
    store.put(name.path, files.encode([replace(payloads[0], payload=row.payload), *payloads[1:]]))
    done = replayed(tmp_path)
    assert json.loads(done.stdout)["differences"] == ["test pump-0 2025-06-15: 101 readings, the same number, other content"]  # fmt: skip


def test_a_quarantined_payload_comes_back_when_its_codec_is_mended(tmp_path: Path, journal: Journal) -> None:  # fmt: skip
    """What still does not decode is counted; the others stand in the new table, and are no difference."""
    quarantine(journal, "pump-9", "senml-json", b'[{"n":"flow","v":1.5,"t":1750000000}]')
    quarantine(journal, "pump-9", "senml-json", b"[{")
    landed(tmp_path)
    plain = json.loads(replayed(tmp_path).stdout)
    assert (plain["brought_back"], plain["unreadable"]) == (0, {})
    done = replayed(tmp_path, "--quarantined", into="mended")
    result = json.loads(done.stdout)
    assert (done.exit_code, result["brought_back"]) == (0, 1)
    assert result["unreadable"] == {"quarantined: broken_frame": 1}


def test_what_came_to_two_journals_of_a_site_is_replayed_once(tmp_path: Path, journal: Journal) -> None:  # fmt: skip
    """A lost disk: the new journal gets the last 50 readings again, cut into other batches, and 70 new ones."""
    config = landed(tmp_path)
    for name in ("journal.db", "journal.db-wal", "journal.db-shm"):
        (tmp_path / "gateway" / name).unlink(missing_ok=True)
    second = Journal(tmp_path / "gateway" / "journal.db")
    second.seqs["pump-1", STREAM] = 250
    again = readings(100, start_us=START_US + 2 * DAY_US, seed=5)
    for part in (again.slice(50, 30), again.slice(80, 20), readings(70, start_us=START_US + 2 * DAY_US)):  # fmt: skip
        second.append("pump-1", part, received_at=START_US + 2 * DAY_US + 3_600_000_000)
    second.close()
    landed(tmp_path)
    assert ask(config.lake, None, "SELECT count(*) AS n FROM readings").to_pylist() == [{"n": 672}]
    done = json.loads(replayed(tmp_path).stdout)
    assert (done["readings"], done["repeated"], done["differences"]) == (672, 50, [])
    again_told = json.loads(replayed(tmp_path).stdout)
    assert (again_told["readings"], again_told["equal"]) == (0, True)


def test_a_damaged_raw_file_is_named(tmp_path: Path, journal: Journal) -> None:
    """Its pages carry checksums."""
    config = landed(tmp_path)
    store = LocalStore(config.lake.folder)
    name = files.listed(store)[0]
    data = bytearray(store.get(name.path) or b"")
    data[len(data) // 2] ^= 255
    store.put(name.path, bytes(data))
    done = replayed(tmp_path)
    assert done.exit_code == 1
    assert name.path in done.output


def test_bad_arguments_say_what_is_expected(tmp_path: Path, journal: Journal) -> None:
    """And end with status 2."""
    landed(tmp_path)
    for args in (["--into", "readings"], ["--from", "yesterday"], ["--into", "A b"]):
        assert replayed(tmp_path, *args).exit_code == 2
