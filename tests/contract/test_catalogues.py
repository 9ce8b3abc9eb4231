"""One suite for every catalogue: what registration rests on, against a real server of each kind.

Data files lie in a folder, and on S3 where the catalogue is SeaweedFS's. Each test has a prefix of its
own; a table that an earlier test has left is dropped first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from pyiceberg.exceptions import NoSuchNamespaceError, NoSuchTableError

from cloud_sync.config import CloudSync, Register
from cloud_sync.lake.record import TableRecord, TableState
from cloud_sync.lake.table import IcebergReadings
from cloud_sync.pipeline import Parts, Pipeline
from headrace.errors import LakeError, LakeUnavailable
from headrace.lake.catalogue import NAMESPACE, READINGS, load_readings, open_catalogue
from headrace.lake.config import Journal as JournalPlace
from headrace.lake.opening import open_store
from tests.contract.catalogue_servers import CASES, Case
from tests.journals import Journal, readings
from tests.lakes import assert_each_once, identities, journalled, pipeline

KEEP = 1


@pytest.fixture(scope="module", params=CASES)
def case(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Case]:
    with ExitStack() as stack:
        yield CASES[request.param](tmp_path_factory.mktemp("catalogue") / "at", stack)


@pytest.fixture
def config(case: Case, tmp_path: Path) -> CloudSync:
    """A lake without a table, and the place of a journal."""
    lake = case.lake(tmp_path)
    catalogue = open_catalogue(lake)
    with suppress(NoSuchTableError, NoSuchNamespaceError):
        catalogue.drop_table(READINGS)
    with suppress(NoSuchNamespaceError):
        catalogue.drop_namespace(NAMESPACE)
    journal = JournalPlace(path=tmp_path / "journal.db")
    return CloudSync(journal=journal, lake=lake, register=Register(keep_snapshots=KEEP))


@pytest.fixture
def journal(config: CloudSync) -> Journal:
    made = Journal(config.journal.path, site="harbour")
    made.append("crane", readings(100))
    return made


def landed(config: CloudSync) -> tuple[list[str], dict[str, int]]:
    """What one registration would commit: files by address, and watermarks."""
    made = pipeline(config)
    made.land()
    plan = made.registrar.next()
    manifests = made.registrar.check(plan.manifests)
    uris = [open_store(config.lake).uri(file.path) for each in manifests for file in each.files]
    key = f"headrace.watermark.{manifests[0].site}.{manifests[0].journal}"
    return uris, {key: manifests[-1].last}


def test_files_and_watermark_are_one_commit(config: CloudSync, journal: Journal) -> None:
    """Namespace and table are made with the first; one snapshot a registration, each reading once."""
    assert load_readings(open_catalogue(config.lake)) is None
    for turn in range(2):
        pipeline(config).land()
        assert pipeline(config).register() == 100
        table = load_readings(open_catalogue(config.lake))
        assert table is not None
        snapshot = table.current_snapshot()
        assert snapshot is not None
        assert snapshot.sequence_number == turn + 1
        assert IcebergReadings(config.lake).watermarks() == {watermark(table.properties): turn + 1}
        journal.append("crane", readings(100, seed=turn + 1))
    assert sum(identities(config.lake, None).values()) == 200


def watermark(properties: Mapping[str, str]) -> str:
    (key,) = (key for key in properties if key.startswith("headrace.watermark."))
    return key


def test_of_writers_at_once_one_wins(case: Case, config: CloudSync, journal: Journal) -> None:
    """All have seen the same table and bring the same files: one commit, the others are told so."""
    pipeline(config).land()
    assert pipeline(config).register() == 100
    journal.append("crane", readings(100, seed=1))
    uris, marks = landed(config)
    tables = [IcebergReadings(config.lake) for _ in range(max(case.at_once, 2))]
    for each in tables:
        each.watermarks()

    assert won(tables, uris, marks, at_once=case.at_once) == 1
    assert IcebergReadings(config.lake).watermarks() == marks
    assert_each_once(identities(config.lake, None), journalled(journal.path))


def test_two_who_would_make_the_table_make_one(
    case: Case, config: CloudSync, journal: Journal
) -> None:
    """The first registration of a lake, by two registrars: at the latest the second try succeeds."""
    uris, marks = landed(config)
    tables = [IcebergReadings(config.lake) for _ in range(2)]
    for each in tables:
        each.watermarks()
    assert won(tables, uris, marks, at_once=case.makers) <= 1
    pipeline(config).register()
    assert IcebergReadings(config.lake).watermarks() == marks
    assert_each_once(identities(config.lake, None), journalled(journal.path))


def won(
    tables: Sequence[IcebergReadings], uris: list[str], marks: dict[str, int], *, at_once: int
) -> int:
    """How many of the writers have committed; the others were told that they have not."""

    def add(table: IcebergReadings) -> bool:
        try:
            table.add(uris, marks)
        except LakeUnavailable:
            return False
        return True

    with ThreadPoolExecutor(at_once) as pool:
        return sum(pool.map(add, tables))


class Silent(IcebergReadings):
    """Does what it is asked, or does not, and in either case gives no answer the first time."""

    does: bool
    asked: int = 0

    def add(self, uris: Sequence[str], marks: Mapping[str, int]) -> None:
        self.asked += 1
        if self.does or self.asked > 1:
            super().add(uris, marks)
        if self.asked == 1:
            raise LakeUnavailable("no answer")


@pytest.mark.parametrize("does", [True, False])
def test_after_an_unknown_outcome_the_watermark_says_what_holds(
    config: CloudSync, journal: Journal, does: bool
) -> None:
    """It happened: nothing is sent again. It did not: it is."""
    pipeline(config).land()
    table = Silent(config.lake)
    table.does = does
    made = pipeline(config, Parts(open_store(config.lake), table))
    if does:
        assert made.register() == 100
    else:
        with pytest.raises(LakeUnavailable, match="no answer"):
            made.register()
        assert made.register() == 100
    assert pipeline(config).register() == 0
    assert_each_once(identities(config.lake, None), journalled(journal.path))


def test_snapshots_expire_and_the_watermark_stays(config: CloudSync, journal: Journal) -> None:
    """The table's metadata stays small; what is registered stays registered."""
    for turn in range(2 * KEEP + 2):
        pipeline(config).land()
        assert pipeline(config).register() == 100
        journal.append("crane", readings(100, seed=turn + 1))
    table = load_readings(open_catalogue(config.lake))
    assert table is not None
    assert len(table.snapshots()) <= 2 * KEEP
    assert IcebergReadings(config.lake).watermarks() == {watermark(table.properties): 2 * KEEP + 2}
    assert sum(identities(config.lake, None).values()) == 100 * (2 * KEEP + 2)


def test_a_dropped_table_is_missed_and_can_be_put_back(
    case: Case, config: CloudSync, journal: Journal
) -> None:
    """Nothing is registered into a new, empty one; put back, it has its readings and watermarks.

    SeaweedFS removes the metadata with the table: there it is made anew from the landing zone.
    """
    pipeline(config).land()
    assert pipeline(config).register() == 100
    before = IcebergReadings(config.lake)
    marks, known = before.watermarks(), before.state()
    assert known is not None
    open_catalogue(config.lake).drop_table(READINGS)
    assert IcebergReadings(config.lake).watermarks() == {}
    with pytest.raises(LakeError, match=r"the table headrace\.readings is gone") as caught:
        registering(pipeline(config))
    assert "restore-table" in caught.value.hint

    if case.drop_keeps:
        assert IcebergReadings(config.lake).restore(known) == known
        assert IcebergReadings(config.lake).watermarks() == marks
    else:
        with pytest.raises(LakeError, match="no metadata of a table"):
            IcebergReadings(config.lake).restore(known)
        TableRecord(open_store(config.lake)).write(TableState())
    journal.append("crane", readings(100, seed=1))
    made = pipeline(config)
    made.land()
    assert made.register() == (100 if case.drop_keeps else 200)
    assert_each_once(identities(config.lake, None), journalled(journal.path))


def test_a_table_that_was_set_back_is_missed_and_brought_back(
    config: CloudSync, journal: Journal
) -> None:
    """Rolled back and without its watermark, as any tool may do that the catalogue lets in."""
    config = replace(config, register=Register())  # with snapshots to roll back to
    for turn in range(2):
        pipeline(config).land()
        assert pipeline(config).register() == 100
        journal.append("crane", readings(100, seed=turn + 1))
    known = TableRecord(open_store(config.lake)).read()
    table = load_readings(open_catalogue(config.lake))
    assert table is not None
    older = min(table.snapshots(), key=lambda each: each.sequence_number or 0)
    table.manage_snapshots().set_current_snapshot(older.snapshot_id).commit()
    with table.transaction() as change:
        change.remove_properties(watermark(table.properties))
    made = pipeline(config)
    made.land()
    with pytest.raises(LakeError, match=r"the table headrace\.readings was set back"):
        made.register()
    assert IcebergReadings(config.lake).restore(known) == known
    assert made.register() == 100
    assert_each_once(identities(config.lake, None), journalled(journal.path))


def registering(made: Pipeline) -> None:
    made.registrar.begin()
    made.register()


def test_a_catalogue_that_refuses_or_is_away_says_so(case: Case, tmp_path: Path) -> None:
    """A wrong credential wants a person; nobody there heals by itself."""
    lake = case.lake(tmp_path)
    for named, expected in ((case.refused, LakeError), (case.away, LakeUnavailable)):
        if named is not None:
            with pytest.raises(LakeError) as caught:
                IcebergReadings(replace(lake, catalogue=named)).watermarks()
            assert type(caught.value) is expected, caught.value
