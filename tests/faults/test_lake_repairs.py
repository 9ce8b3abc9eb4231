"""Damaged landings: asked for, made again from the journal, or given up; and tables that are gone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud_sync.config import CloudSync
from cloud_sync.pipeline import Pipeline
from headrace.errors import LakeError
from headrace.journal import JournalReader
from headrace.lake.catalogue import READINGS, open_catalogue
from headrace.query.sources import collect
from tests.journals import Journal, readings
from tests.lakes import assert_each_once, cloud_sync, identities, journalled, pipeline, settings


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """Three landings of fifty readings."""
    made = Journal(tmp_path / "gateway" / "journal.db")
    for seed in range(3):
        made.append("pump", readings(50, seed=seed))
    yield made
    made.close()


@pytest.fixture
def config(tmp_path: Path) -> CloudSync:
    return settings(tmp_path, max_rows=50)


@pytest.fixture
def path(config: CloudSync, journal: Journal) -> Pipeline:
    """After a landing."""
    made = pipeline(config)
    assert made.land() == 150
    return made


def landed(folder: Path, ending: str) -> list[Path]:
    return sorted((folder / "lake" / "landing").rglob(f"*.{ending}"))


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_truncated_object_is_sent_again_from_the_journal(
    tmp_path: Path, path: Pipeline, journal: Journal, config: CloudSync
) -> None:
    """The registrar asks, the site lands the range under new names, the registrar goes on."""
    victim = landed(tmp_path, "parquet")[1]
    victim.write_bytes(victim.read_bytes()[:-30])
    assert path.register() == 50
    assert "the site is asked to send it again" in str(path.registrar.held[0])
    assert path.land() == 0
    assert path.register() == 100
    assert path.registrar.held == ()
    assert_each_once(identities(config.lake, None), journalled(journal.path))
    assert any(name.name.endswith(".r1.parquet") for name in landed(tmp_path, "parquet"))


@pytest.mark.parametrize("what", ["gone", "damaged"])
def test_a_manifest_that_is_missing_or_damaged_is_sent_again(
    tmp_path: Path, path: Pipeline, journal: Journal, config: CloudSync, what: str
) -> None:
    """A hole has offsets, so it can be asked for like anything else."""
    victim = landed(tmp_path, "json")[1]
    if what == "gone":
        victim.unlink()
    else:
        victim.write_bytes(victim.read_bytes()[:50])
    assert path.register() == 50
    path.land()
    assert path.register() == 100
    assert_each_once(identities(config.lake, None), journalled(journal.path))


def test_what_the_journal_has_no_more_is_given_up_and_the_rest_goes_on(
    tmp_path: Path, path: Pipeline, journal: Journal, config: CloudSync
) -> None:
    """On record with what is missing; the readings behind it are registered."""
    victim = landed(tmp_path, "parquet")[1]
    victim.write_bytes(b"")
    path.register()
    expected = journalled(journal.path)
    journal.prune(2)
    path.land()
    assert path.register() == 50
    assert path.registrar.held == ()
    gone = {(device, stream, seq) for device, stream, seq in expected if 50 < seq <= 100}
    assert_each_once(identities(config.lake, None), expected - gone)
    (record,) = (tmp_path / "lake" / "quarantine").rglob("*.json")
    said = json.loads(record.read_text())
    assert said["rows"] == 50
    assert said["missing"] == [victim.relative_to(tmp_path / "lake").as_posix()]
    assert "are gone" in said["why"]


def test_a_site_that_is_gone_can_be_given_up_by_hand(
    tmp_path: Path, path: Pipeline, journal: Journal, config: CloudSync
) -> None:
    """Its journal waits until somebody says so; what is sound of it is registered."""
    landed(tmp_path, "json")[1].unlink()
    path.register()
    assert path.register() == 0  # nobody has answered
    with JournalReader(journal.path) as reader:
        words = (reader.site, reader.journal_id, 2, 2, "--why", "burnt down")
    done = cloud_sync("give-up", "--data", tmp_path, *words)
    assert (done.exit_code, "given up: offsets 2-2" in done.output) == (0, True)
    assert path.register() == 50
    assert cloud_sync("give-up", "--data", tmp_path, "a b", "c", 2, 1, "--why", "x").exit_code == 2


def test_verify_finds_a_flipped_bit_in_the_table_and_the_journal_puts_it_back(
    tmp_path: Path, path: Pipeline, journal: Journal, config: CloudSync
) -> None:
    """Byte for byte, under the name that the table has."""
    assert path.register() == 150
    assert cloud_sync("verify", "--data", tmp_path).exit_code == 0
    victim = landed(tmp_path, "parquet")[2]
    whole = victim.read_bytes()
    flip(victim)
    found = cloud_sync("verify", "--data", tmp_path, "--json", "--rate", "1000")
    report = json.loads(found.stdout)
    assert (found.exit_code, report["objects"], len(report["damaged"])) == (1, 3, 1)
    assert "asked to send it again" in report["damaged"][0]["then"]
    path.land()
    assert victim.read_bytes() == whole
    assert cloud_sync("verify", "--data", tmp_path).exit_code == 0
    assert_each_once(identities(config.lake, None), journalled(journal.path))


def test_verify_says_what_cannot_be_put_back(
    tmp_path: Path, path: Pipeline, journal: Journal
) -> None:
    """The journal has let go of it: the table keeps its entry, and somebody has to know."""
    path.register()
    flip(landed(tmp_path, "parquet")[0])
    assert cloud_sync("verify", "--data", tmp_path, "--site", "other").exit_code == 0
    assert cloud_sync("verify", "--data", tmp_path, "--scope", "landed").exit_code == 0
    assert cloud_sync("verify", "--data", tmp_path, "--sample", "0").exit_code == 0
    cloud_sync("verify", "--data", tmp_path)
    journal.prune(3)
    path.land()
    done = cloud_sync("verify", "--data", tmp_path, "--scope", "registered")
    assert done.exit_code == 1
    assert "the site cannot send it again" in done.output


def test_a_dropped_table_is_noticed_and_put_back(
    tmp_path: Path, path: Pipeline, journal: Journal, config: CloudSync
) -> None:
    """Not made anew behind everybody's back; landing goes on, and nothing is registered twice."""
    path.register()
    open_catalogue(config.lake).drop_table(READINGS)
    journal.append("pump", readings(50, seed=9))
    assert path.land() == 50
    with pytest.raises(LakeError, match="is gone"):
        path.register()
    done = cloud_sync("restore-table", "--data", tmp_path)
    assert (done.exit_code, "3 files" in done.output) == (0, True), done.output
    assert path.register() == 50
    assert_each_once(identities(config.lake, None), journalled(journal.path))
    assert cloud_sync("restore-table", "--data", tmp_path).exit_code == 2


def test_a_table_of_somebody_else_under_our_name_is_not_written_to(
    tmp_path: Path, path: Pipeline, journal: Journal, config: CloudSync
) -> None:
    """Dropped and made again: its watermarks are not ours. ``--anew`` takes it as it is."""
    path.register()
    catalogue = open_catalogue(config.lake)
    schema = catalogue.load_table(READINGS).schema()
    catalogue.drop_table(READINGS)
    catalogue.create_table(READINGS, schema)
    with pytest.raises(LakeError, match="is another one"):
        path.register()
    assert cloud_sync("restore-table", "--data", tmp_path, "--anew").exit_code == 0
    assert path.register() == 150  # it was empty: everything that landed is registered again
    assert_each_once(identities(config.lake, None), journalled(journal.path))


def test_a_query_leaves_out_what_is_damaged_and_says_so(
    tmp_path: Path, path: Pipeline, journal: Journal, config: CloudSync
) -> None:
    """From the registrar's look until the site has sent it again, the other readings are answered."""
    victim = landed(tmp_path, "parquet")[1]
    victim.write_bytes(b"")
    path.register()
    sources = collect(config.lake, journal.path)
    assert ["asked to send it again" in note for note in sources.notes] == [True]
    assert sum(identities(config.lake, journal.path).values()) == 100
    path.land()
    assert_each_once(identities(config.lake, journal.path), journalled(journal.path))
