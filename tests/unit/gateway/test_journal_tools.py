"""``gateway journal``: stat, tail, verify and export, on a journal without a gateway."""

import csv
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.journal_tools.choice import parse_time
from headrace.errors import UsageError
from tests.damage import flip, place_of, ruin_page, settle
from tests.journals import START_US, STREAM, Journal, readings

BATCHES = 60
ROWS = 400


@pytest.fixture
def site(tmp_path):
    """A configuration, a journal of two devices, and the command on them."""
    journal = Journal(tmp_path / "journal.db", site="site-1")
    for number in range(BATCHES):
        journal.append(
            f"pump-{number % 2}",
            readings(ROWS, start_us=START_US + number * 1_000_000, seed=number),
        )
    for device in ("pump-0", "pump-1"):
        journal.db.execute(
            "INSERT INTO ranges VALUES (?, ?, 1, ?)", (device, STREAM, BATCHES * ROWS // 2)
        )
        journal.db.execute("INSERT INTO devices VALUES (?, ?, ?)", (device, START_US, START_US))
    journal.close()
    settle(journal.path)
    config = tmp_path / "gateway.toml"
    config.write_text(f'data_dir = "{tmp_path}"\n', encoding="utf-8")

    class Site:
        path = journal.path
        folder = tmp_path

        @staticmethod
        def run(*words):
            return CliRunner().invoke(main, ["journal", *map(str, words), "--config", str(config)])

    return Site()


def test_a_sound_journal_verifies(site):
    """Exit status 0, and how much was looked at."""
    done = site.run("verify")
    assert done.exit_code == 0, done.output
    assert f"OK: {BATCHES} batches, {BATCHES * ROWS} readings" in done.stdout


def test_verify_names_a_flipped_byte_with_what_is_lost(site):
    """The offset, device, stream and seqs, and what to do; exit status 1."""
    flip(site.path, place_of(site.path, 21))
    done = site.run("verify", "--json")
    assert done.exit_code == 1
    found = json.loads(done.stdout)
    (fault,) = [fault for fault in found["faults"] if fault.get("offset")]
    assert fault["offset"] == 21
    assert fault["lost"] == f"pump-0 stream {STREAM} seq {10 * ROWS + 1}-{11 * ROWS}"
    assert "move the file away" in fault["todo"]
    assert found["readings"] == (BATCHES - 1) * ROWS


def test_verify_tells_from_the_range_sets_what_stood_on_a_ruined_page(site):
    """Not even the device can be read there; that its seqs were acknowledged is known elsewhere."""
    ruin_page(site.path, place_of(site.path, 30))
    done = site.run("verify")
    assert done.exit_code == 1
    assert "SQLite:" in done.stdout
    assert "was acknowledged and is in no row that can be read" in done.stdout
    assert "DAMAGED" in done.stdout


def test_verify_finds_rows_that_the_range_sets_do_not_know(site):
    """A resend of such a row would be stored twice."""
    journal = Journal(site.path)
    journal.db.execute("UPDATE ranges SET last = 100 WHERE device = 'pump-1'")
    journal.close()
    done = site.run("verify")
    assert done.exit_code == 1
    assert f"seq 101-{BATCHES * ROWS // 2} is in the journal and not among what has been seen" in done.stdout  # fmt: skip


def test_stat_goes_on_over_damage_and_says_so(site):
    """Counts cannot be given; consumers and devices can."""
    assert f"{BATCHES} batches, {BATCHES * ROWS} readings" in site.run("stat").stdout
    ruin_page(site.path, place_of(site.path, 30))
    done = site.run("stat")
    assert done.exit_code == 0, done.output
    assert "gateway journal verify" in done.stdout
    assert "pump-1" in done.stdout
    assert "devices more" in site.run("stat", "--top", 1).stdout


def test_tail_prints_the_newest_readings_decoded(site):
    """In order of arrival, and only those that are wanted."""
    done = site.run("tail", "-n", 3, "--device", "pump-0", "--name", "s1", "--json")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(each["device"], each["name"]) for each in found] == [("pump-0", "s1")] * 3
    seqs = [each["seq"] for each in found]
    assert seqs == sorted(seqs)
    assert seqs[-1] == BATCHES // 2 * ROWS - 2
    assert site.run("tail", "-n", 2).stdout.count("pump-1") == 2


@pytest.mark.parametrize("kind", ["parquet", "arrow", "csv", "ndjson"])
def test_export_writes_what_is_wanted(site, kind):
    """Every format holds the same readings."""
    out = site.folder / f"part.{kind}"
    done = site.run(
        "export", out, "--device", "pump-1", "--name", "s2", "--first", 11, "--last", 30
    )
    assert done.exit_code == 0, done.output
    assert f"{10 * ROWS // 4} readings" in done.stdout
    rows = {
        "parquet": lambda: pq.read_table(out).to_pylist(),
        "arrow": lambda: pa.ipc.open_file(out).read_all().to_pylist(),
        "csv": lambda: list(csv.DictReader(out.open())),
        "ndjson": lambda: [json.loads(line) for line in out.open()],
    }[kind]()
    assert len(rows) == 10 * ROWS // 4
    assert {(row["site"], row["device"], row["name"]) for row in rows} == {("site-1", "pump-1", "s2")}  # fmt: skip
    assert len({int(row["seq"]) for row in rows}) == len(rows)


def test_export_takes_a_range_of_time_and_leaves_out_what_is_damaged(site):
    """The file is there and the loss is said."""
    flip(site.path, place_of(site.path, 21))
    out = site.folder / "part.parquet"
    done = site.run(
        "export", out, "--since", "2025-06-15T15:06:40", "--until", "2025-06-15T15:07:10"
    )
    assert done.exit_code == 0, done.output
    assert "1 damaged batches left out" in done.stderr
    assert pq.read_table(out).num_rows == 29 * ROWS
    assert not list(site.folder.glob("*.part"))


def test_times_may_be_said_as_dates_or_as_ages():
    """UTC unless it says otherwise."""
    assert parse_time("1970-01-01T00:00:10", 0) == 10_000_000
    assert parse_time("1970-01-01T01:00:00+01:00", 0) == 0
    assert parse_time("2m", 200_000_000) == 80_000_000
    with pytest.raises(UsageError, match="not a time"):
        parse_time("yesterday", 0)
