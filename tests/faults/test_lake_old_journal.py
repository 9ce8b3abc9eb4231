"""An older copy of the journal in its place: it goes on as another one, and no reading is lost or put over others."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cloud_sync.config import CloudSync
from headrace.errors import UsageError
from headrace.imported import journal_of
from headrace.journal import JournalReader
from headrace.lake.store import Data, LocalStore
from tests.journals import Journal, readings
from tests.lakes import Identity, assert_each_once, identities, journalled, pipeline, settings

BATCH = 50


@contextmanager
def opened(config: CloudSync) -> Iterator[Journal]:
    """The journal as its gateway has it, with the numbers that its devices go on from."""
    journal = Journal(config.journal.path)
    for device, stream, last in journal.db.execute(
        "SELECT device, stream, max(last_seq) FROM batches GROUP BY 1, 2"
    ):
        journal.seqs[device, stream] = last
    yield journal
    journal.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    journal.close()


def bring(config: CloudSync, device: str, *, batches: int = 1) -> None:
    with opened(config) as journal:
        for seed in range(batches):
            journal.append(device, readings(BATCH, seed=seed))


def land_and_register(config: CloudSync) -> tuple[int, int]:
    path = pipeline(config)
    return path.land(), path.register()


@pytest.fixture
def config(tmp_path: Path) -> CloudSync:
    """Two batches are registered and two landed when a copy of after the first two is put back."""
    made = settings(tmp_path)
    journal = made.journal.path
    bring(made, "pump", batches=2)
    land_and_register(made)
    shutil.copy(journal, tmp_path / "copy.db")
    for _ in range(2):
        bring(made, "pump")
        assert pipeline(made).land() == BATCH
    return made


@pytest.fixture
def before(config: CloudSync) -> set[Identity]:
    """What was in the journal; then the copy takes its place."""
    known = journalled(config.journal.path)
    shutil.copy(config.journal.path.parents[1] / "copy.db", config.journal.path)
    return known


@pytest.mark.parametrize("batches", [1, 2, 3])
@pytest.mark.parametrize("registered", [False, True])
def test_what_an_older_copy_brings_is_registered_beside_what_it_had_brought(
    config: CloudSync, before: set[Identity], caplog: pytest.LogCaptureFixture,
    batches: int, registered: bool,
) -> None:  # fmt: skip
    """Other readings under the same offsets: as many, fewer and more than had landed."""
    if registered:
        pipeline(config).register()
    bring(config, "fan", batches=batches)
    with caplog.at_level(logging.WARNING):
        path = pipeline(config)
        assert path.land() == batches * BATCH
    assert "an older copy of it was put back" in caplog.text
    path.register()
    assert path.registrar.held == ()
    expected = before | journalled(config.journal.path)
    assert_each_once(identities(config.lake, None), expected)
    assert_each_once(identities(config.lake, config.journal.path), expected)
    caplog.clear()
    bring(config, "fan")
    assert land_and_register(config) == (BATCH, BATCH)
    assert "older copy" not in caplog.text
    assert_each_once(identities(config.lake, None), before | journalled(config.journal.path))


def test_put_back_under_a_service_that_lands_it_is_noticed(config: CloudSync) -> None:
    """The cursor is not where this process has left it."""
    path = pipeline(config)
    path.land()
    before = journalled(config.journal.path)
    shutil.copy(config.journal.path.parents[1] / "copy.db", config.journal.path)
    bring(config, "fan")
    assert path.land() == BATCH
    path.register()
    assert_each_once(identities(config.lake, None), before | journalled(config.journal.path))


def test_readings_that_devices_send_again_are_kept_out(
    config: CloudSync, before: set[Identity]
) -> None:
    """The copy does not know that it had them."""
    pipeline(config).register()
    bring(config, "pump", batches=3)  # two of them again
    assert pipeline(config).land() == 3 * BATCH
    assert pipeline(config).register() == BATCH
    assert_each_once(identities(config.lake, None), before | journalled(config.journal.path))


class Dying(LocalStore):
    """Ends a landing behind its manifest, as a kill does."""

    def _create(self, path: str, data: Data) -> bool:
        super()._create(path, data)
        raise KeyboardInterrupt


def test_a_landing_that_was_cut_behind_its_manifest_is_no_other_life(tmp_path: Path) -> None:
    """The manifest is beyond the cursor, and the journal has planned it."""
    config = settings(tmp_path)
    bring(config, "pump")
    whole = pipeline(config)
    dying = pipeline(config, type(whole._parts)(Dying(config.lake.folder), whole._parts.table))
    with pytest.raises(KeyboardInterrupt):
        dying.land()
    with JournalReader(config.journal.path) as reader:
        own = reader.journal_id
    assert land_and_register(config) == (BATCH, BATCH)
    with JournalReader(config.journal.path) as reader:
        assert reader.journal_id == own


def test_an_older_copy_of_a_spool_is_refused(config: CloudSync) -> None:
    """Its job would import again what has landed."""
    with JournalReader(config.journal.path) as reader:
        reader.rename(journal_of("test", "old"))
    path = pipeline(config)
    bring(config, "pump")
    path.land()  # the cursor is beyond the copy's, under this id
    shutil.copy(config.journal.path.parents[1] / "copy.db", config.journal.path)
    with JournalReader(config.journal.path) as reader:
        reader.rename(journal_of("test", "old"))
    with pytest.raises(UsageError, match="older copy of the spool"):
        pipeline(config).land()
