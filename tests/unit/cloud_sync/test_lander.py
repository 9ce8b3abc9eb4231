"""A landing's steps: what a retry puts where, and what the journal keeps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from cloud_sync.landing.lander import CONSUMER, Lander
from cloud_sync.landing.steps import Bounds, Plan
from gateway.journal.retention import Retention
from headrace.clock import ManualClock
from headrace.errors import StorageCorrupt
from headrace.journal import JournalReader, kept
from headrace.lake.store import LocalStore
from headrace.landing import decode
from tests.journals import Journal, readings

KEEP_S = 3_600.0


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "journal.db")
    made.append("pump", readings(50))
    yield made
    made.close()


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "lake")


def make(journal: Journal, store: LocalStore, clock: ManualClock | None = None) -> Lander:
    bounds = Bounds(max_rows=1_000, max_bytes=10**9, keep_s=KEEP_S, keep_bytes=10**9)
    made = Lander(JournalReader(journal.path), store, site="test", bounds=bounds, clock=clock)
    made.attach()
    return made


def land(lander: Lander) -> None:
    this = lander.next(lander.cursor)
    assert this is not None
    encoded = lander.encode(this)
    lander.begin(encoded)
    lander.upload(encoded)
    lander.finish(encoded)


def objects(store: LocalStore) -> dict[str, bytes]:
    files = [path for path in store.root.rglob("*") if path.is_file()]
    return {path.name: path.read_bytes() for path in files}


def test_a_retry_after_a_kill_puts_the_same_bytes(journal: Journal, store: LocalStore) -> None:
    """Killed before the cursor moved: the manifest that is there stays, and so do the files."""
    land(make(journal, store))
    before = objects(store)
    journal.db.execute("UPDATE cursors SET offset = 0")
    land(make(journal, store))
    assert objects(store) == before


def test_a_retry_that_encodes_otherwise_takes_new_names(
    journal: Journal, store: LocalStore
) -> None:
    """Another version of the software: what may be registered is not touched."""
    land(make(journal, store))
    before = objects(store)
    journal.db.execute("UPDATE cursors SET offset = 0")
    lander = make(journal, store)
    old = {path: "another" for path in before if path.endswith(".parquet")}
    state = msgspec.json.encode(Plan(1, 1, 0, old))
    JournalReader(journal.path).set_state(CONSUMER, "landing", state)
    land(lander)
    after = objects(store)
    assert {name: after[name] for name in before} == before
    assert [name.count(".r1.") for name in sorted(after.keys() - before.keys())] == [1]


def test_a_plan_of_an_earlier_version_is_taken_up(journal: Journal, store: LocalStore) -> None:
    """It was a range alone: nobody knows what was put, so the names are new ones."""
    lander = make(journal, store)
    JournalReader(journal.path).set_state(CONSUMER, "landing", b'{"first":1,"last":1}')
    land(lander)
    (manifest,) = [data for name, data in objects(store).items() if name.endswith(".json")]
    (file,) = decode(manifest, "").files
    assert ".r1." in file.path


def test_a_planned_range_that_is_gone_is_an_error(journal: Journal, store: LocalStore) -> None:
    """An older copy of the journal was put in its place."""
    lander = make(journal, store)
    this = lander.next(0)
    assert this is not None
    lander.begin(lander.encode(this))
    journal.prune(1)
    with pytest.raises(StorageCorrupt, match="older copy"):
        lander.next(0)


def test_landed_rows_stay_in_the_journal_for_a_while(journal: Journal, store: LocalStore) -> None:
    """The gateway prunes behind every cursor, and not what may have to be sent again."""
    clock = ManualClock()
    land(make(journal, store, clock))
    keeping = Retention(max_bytes=10**9, hold_for=("lake",))
    keeping.prune(journal.db)
    assert count(journal) == 1
    clock.advance(KEEP_S + 1)
    journal.append("pump", readings(50, seed=1))
    land(make(journal, store, clock))
    keeping.prune(journal.db)
    assert count(journal) == 1  # the first went, the second has just landed
    Retention(max_bytes=1, hold_for=("lake",)).prune(journal.db)
    keeping_less = Retention(max_bytes=journal.path.stat().st_size, hold_for=("lake",))
    keeping_less.prune(journal.db)
    keeping_less.prune(journal.db)
    assert count(journal) == 0  # room for what has not landed comes first


def test_a_state_that_cannot_be_read_keeps_nothing(journal: Journal, store: LocalStore) -> None:
    """A damaged page must not stop the gateway."""
    land(make(journal, store))
    JournalReader(journal.path).set_state(CONSUMER, kept.KEY, b"\x00")
    Retention(max_bytes=10**9, hold_for=("lake",)).prune(journal.db)
    assert count(journal) in (0, 1)


def count(journal: Journal) -> int:
    return int(journal.db.execute("SELECT count(*) FROM batches").fetchone()[0])
