"""Commits whose answer is lost, stores and catalogues that are away, rivals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import CommitStateUnknownException

from cloud_sync.lake.table import IcebergReadings
from cloud_sync.pipeline import Parts, open_parts
from headrace.errors import (
    CommitConflict,
    CommitUnknown,
    LakeError,
    LakeUnavailable,
    StorageError,
    StorageFull,
)
from headrace.journal import JournalReader
from headrace.lake.catalogue import load_readings, open_catalogue
from headrace.lake.config import Lake
from headrace.lake.store import Data, LocalStore
from headrace.limits.lake import REGISTER_MAX_CONFLICTS
from tests.journals import Journal, readings
from tests.lakes import assert_each_once, identities, journalled, pipeline, settings


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    made = Journal(tmp_path / "gateway" / "journal.db")
    for seed in range(3):
        made.append("pump", readings(50, seed=seed))
    return made


class LossyReadings(IcebergReadings):
    """The real table; ``answers`` says for each commit in turn what becomes of it."""

    def __init__(self, lake: Lake, answers: Sequence[str]) -> None:
        super().__init__(lake)
        self._answers = list(answers)
        self.away = False

    def watermarks(self) -> dict[str, int]:
        if self.away:
            raise LakeUnavailable("catalogue: away")
        return super().watermarks()

    def _catalogue(self) -> Catalog:
        is_new = self._opened is None
        catalogue = super()._catalogue()
        if is_new:
            catalogue.commit_table = self._lossy(catalogue.commit_table)  # type: ignore[method-assign]
        return catalogue

    def _lossy(self, commit: Callable[..., Any]) -> Callable[..., Any]:
        def act(*args: Any) -> Any:
            answer = self._answers.pop(0) if self._answers else "done"
            if answer != "not done":
                done = commit(*args)
            if answer == "done":
                return done
            self.away = answer == "done, then away"
            raise CommitStateUnknownException("504: gateway timeout")

        return act


def parts(folder: Path, table: IcebergReadings) -> Parts:
    return Parts(LocalStore(settings(folder).lake.folder), table)


class Overtaken(IcebergReadings):
    """Another writer commits before each of the first ``times`` commits: it rewrites files, as compaction does."""

    def __init__(self, lake: Lake, times: int) -> None:
        super().__init__(lake)
        self.times = times
        self.asked = 0

    def add(self, uris: Sequence[str], marks: Mapping[str, int]) -> None:
        self.asked += 1
        if self.asked <= self.times:
            other = load_readings(open_catalogue(self._lake))
            assert other is not None
            other.overwrite(other.scan().to_arrow())
        super().add(uris, marks)


def test_a_registrar_that_loses_to_a_compaction_tries_again_at_once(
    tmp_path: Path, journal: Journal
) -> None:
    """In the same pass, from the watermarks read anew."""
    config = settings(tmp_path)
    pipeline(config).land()
    pipeline(config).register()
    journal.append("pump", readings(50, seed=9))
    table = Overtaken(config.lake, 2)
    path = pipeline(config, Parts(open_parts(config).store, table))
    path.land()
    assert path.register() == 50
    assert table.asked == 3
    assert path._metrics.value("lost_registrations") == 2
    assert_each_once(identities(config.lake, None), journalled(journal.path))


def test_a_registrar_that_loses_every_time_takes_its_pause(
    tmp_path: Path, journal: Journal
) -> None:
    """After a number of times, and nothing is lost by it."""
    config = settings(tmp_path)
    pipeline(config).land()
    pipeline(config).register()
    journal.append("pump", readings(50, seed=9))
    table = Overtaken(config.lake, 10**9)
    path = pipeline(config, Parts(open_parts(config).store, table))
    path.land()
    with pytest.raises(CommitConflict) as lost:
        path.register()
    assert lost.value.retryable
    assert table.asked == REGISTER_MAX_CONFLICTS + 1
    table.times = 0
    assert path.register() == 50
    assert_each_once(identities(config.lake, None), journalled(journal.path))


def test_a_commit_that_happened_without_an_answer_is_not_repeated(
    tmp_path: Path, journal: Journal
) -> None:
    """The table is read back: its watermark says that the files are in."""
    config = settings(tmp_path)
    path = pipeline(config, parts(tmp_path, LossyReadings(config.lake, ["done, no answer"])))
    path.land()
    assert path.register() == 150
    assert path.register() == 0
    assert_each_once(identities(config.lake, None), journalled(journal.path))


def test_a_commit_that_did_not_happen_is_tried_again(tmp_path: Path, journal: Journal) -> None:
    """The table is read back: its watermark says that they are not; nothing is lost or doubled."""
    config = settings(tmp_path)
    path = pipeline(config, parts(tmp_path, LossyReadings(config.lake, ["not done"])))
    path.land()
    with pytest.raises(LakeUnavailable):
        path.register()
    assert path.register() == 150
    assert_each_once(identities(config.lake, None), journalled(journal.path))


def test_a_catalogue_that_dies_after_the_commit_leaves_the_outcome_open(
    tmp_path: Path, journal: Journal
) -> None:
    """Nobody can read back yet; the next pass does and registers nothing twice."""
    config = settings(tmp_path)
    table = LossyReadings(config.lake, ["done, then away"])
    path = pipeline(config, parts(tmp_path, table))
    path.land()
    with pytest.raises(CommitUnknown):
        path.register()
    table.away = False
    assert path.register() == 0
    assert_each_once(identities(config.lake, None), journalled(journal.path))


def test_two_registrars_at_once_register_each_manifest_once(
    tmp_path: Path, journal: Journal
) -> None:
    """The second commits on an old snapshot: it is refused, and its next look finds nothing to do."""
    config = settings(tmp_path)
    pipeline(config).land()
    pipeline(config).register()
    journal.append("pump", readings(50, seed=9))
    first, second = pipeline(config), pipeline(config)
    first.land()
    plans = [each.registrar.next() for each in (first, second)]
    manifests = [first.registrar.check(plan.manifests) for plan in plans]
    first.registrar.commit(manifests[0])
    second.registrar.commit(manifests[1])  # read back: it is in, whoever put it there
    assert_each_once(identities(config.lake, None), journalled(journal.path))


class FullStore(LocalStore):
    """A disk that is full for data files until it is not."""

    full = True

    def _put(self, path: str, data: Data) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        super()._put(path, data)


def test_a_full_disk_moves_no_cursor_and_heals(tmp_path: Path, journal: Journal) -> None:
    """The journal keeps everything until the landing is through."""
    config = settings(tmp_path)
    store = FullStore(config.lake.folder)
    path = pipeline(config, Parts(store, IcebergReadings(config.lake)))
    with pytest.raises(StorageFull):
        path.land()
    with JournalReader(journal.path) as reader:
        assert reader.cursor("lake") == 0
        assert ("lake", 0, True) in reader.cursors()
    assert_each_once(identities(config.lake, journal.path), journalled(journal.path))
    store.full = False
    assert path.land() == 150
    assert path.register() == 150


def test_a_data_file_that_is_not_what_its_manifest_says_is_not_registered(
    tmp_path: Path, journal: Journal
) -> None:
    """Its journal waits, visibly; another site's goes on."""
    config = settings(tmp_path)
    pipeline(config).land()
    (victim,) = (tmp_path / "lake" / "landing").rglob("*.parquet")
    victim.write_bytes(victim.read_bytes()[:-1])
    other = Journal(tmp_path / "other" / "gateway" / "journal.db", site="south")
    other.append("fan", readings(7))
    whole = settings(tmp_path / "other")
    south = type(config)(journal=whole.journal, lake=config.lake)
    pipeline(south).land()
    path = pipeline(config)
    assert path.register() == 7
    assert "bytes" in str(path.registrar.held[0])


def test_a_manifest_that_names_files_of_another_site_is_refused(
    tmp_path: Path, journal: Journal
) -> None:
    """A site may register what lies under its own prefix and nothing else."""
    config = settings(tmp_path)
    pipeline(config).land()
    (manifest,) = (tmp_path / "lake" / "landing").rglob("*.json")
    text = manifest.read_text().replace('"path":"landing/site=test', '"path":"landing/site=evil')
    manifest.write_text(text)
    path = pipeline(config)
    assert path.register() == 0
    assert "not its own" in str(path.registrar.held[0])


def test_two_processes_do_not_land_one_journal_at_once(tmp_path: Path, journal: Journal) -> None:
    """The second says so and tries again later."""
    config = settings(tmp_path)
    inner = pipeline(config)

    class Nosy(LocalStore):
        def _put(self, path: str, data: Data) -> None:
            with pytest.raises(StorageError, match="another cloud-sync"):
                inner.land()
            super()._put(path, data)

    table = IcebergReadings(config.lake)
    assert pipeline(config, Parts(Nosy(config.lake.folder), table)).land() == 150


def test_refused_is_not_retryable_and_away_is() -> None:
    """The service stops for the one and waits for the other."""
    assert not LakeError("x").retryable
    assert LakeUnavailable("x").retryable
    assert CommitUnknown("x").retryable


def test_open_parts_connects_to_nothing(tmp_path: Path) -> None:
    """A service can start while the lake is away."""
    assert open_parts(settings(tmp_path)).table is not None
    assert not (tmp_path / "lake").exists()
