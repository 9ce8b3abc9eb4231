"""How a site learns what is registered of its journals."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud_sync.lake.confirm import Receipts, ask, confirm
from headrace.errors import LakeError
from headrace.journal import LAKE, REGISTERED, JournalReader
from headrace.lake.receipts import read_receipt, receipt_path, write_receipt
from headrace.lake.store import Data, LocalStore
from headrace.landing import parse_watermark_key, watermark_key
from tests.journals import Journal, readings

OTHER = ("harbour.west", "00000000000000bb")


class CountingStore(LocalStore):
    """A folder that counts what is put into it."""

    puts = 0

    def put(self, path: str, data: Data) -> None:
        self.puts += 1
        super().put(path, data)


@pytest.fixture
def store(tmp_path: Path) -> CountingStore:
    return CountingStore(tmp_path / "lake")


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[JournalReader]:
    journal = Journal(tmp_path / "journal.db", site="harbour")
    for _ in range(5):
        journal.append("pump", readings(1))
    journal.close()
    with JournalReader(journal.path) as opened:
        opened.move_cursor(LAKE, 3, required=True)
        yield opened


def test_the_cursor_follows_the_watermark(reader: JournalReader) -> None:
    """What has landed and is not registered is the rest."""
    assert confirm(reader, 2) == 1
    assert reader.cursor(REGISTERED) == 2
    assert confirm(reader, 3) == 0
    assert reader.cursor(REGISTERED) == 3


def test_an_older_watermark_takes_nothing_back(reader: JournalReader) -> None:
    """Devices were told; the cursor only moves on."""
    confirm(reader, 3)
    assert confirm(reader, 1) == 0
    assert reader.cursor(REGISTERED) == 3


def test_nothing_counts_as_registered_that_has_not_landed(reader: JournalReader) -> None:
    """An older copy of the journal was put back: the same offsets stand for other readings."""
    confirm(reader, 900)
    assert reader.cursor(REGISTERED) == 3


def test_a_site_learns_from_its_receipt(reader: JournalReader, store: CountingStore) -> None:
    """It needs to read one object, and no table."""
    assert ask(reader, store) == 3
    Receipts(store).tell({watermark_key("harbour", reader.journal_id): 2}, but=None)
    assert receipt_path("harbour", reader.journal_id).startswith("receipts/site=harbour/")
    assert ask(reader, store) == 1
    assert reader.cursor(REGISTERED) == 2


def test_a_receipt_is_written_when_it_changes(store: CountingStore) -> None:
    """Also by a registrar that has just started: it reads before it writes."""
    marks = {watermark_key(*OTHER): 7}
    for receipts in (Receipts(store), Receipts(store)):
        receipts.tell(marks, but=None)
        receipts.tell(marks, but=None)
    assert store.puts == 1
    assert read_receipt(store, *OTHER) == 7


def test_the_journal_on_this_machine_needs_no_receipt(store: CountingStore) -> None:
    """Its cursor says it."""
    Receipts(store).tell({watermark_key(*OTHER): 7}, but=OTHER)
    assert store.puts == 0


def test_a_registrar_that_is_late_takes_no_receipt_back(store: CountingStore) -> None:
    """Two registrars: the slower one knows an older watermark."""
    write_receipt(store, *OTHER, 9)
    Receipts(store).tell({watermark_key(*OTHER): 7}, but=None)
    assert read_receipt(store, *OTHER) == 9


def test_a_spoilt_receipt_is_refused_by_the_site_and_written_again_by_the_registrar(
    store: CountingStore, reader: JournalReader, caplog: pytest.LogCaptureFixture
) -> None:
    """No device may forget anything because of it."""
    caplog.set_level(logging.WARNING)
    store.put(receipt_path("harbour", reader.journal_id), b'{"registered": -3}')
    with pytest.raises(LakeError, match="not what a registrar writes"):
        ask(reader, store)
    assert reader.cursor(REGISTERED) == 0
    Receipts(store).tell({watermark_key("harbour", reader.journal_id): 3}, but=None)
    assert "written again" in caplog.text
    assert ask(reader, store) == 0


def test_a_watermarks_key_is_read_back() -> None:
    """Sites may have dots in their names."""
    assert parse_watermark_key(watermark_key(*OTHER)) == OTHER
