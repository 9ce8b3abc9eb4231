"""The record of the table: what counts as lost, and what earlier versions have written."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloud_sync.lake.record import PATH, TableRecord, TableState
from headrace.errors import LakeError
from headrace.lake.store import LocalStore

KNOWN = TableState(
    "u", "file:///t", 7, 3, {"headrace.watermark.a.1": 40, "headrace.watermark.b.2": 9}
)


def later(**marks: int) -> TableState:
    """The table a commit later, with these watermarks of the two journals."""
    named = {f"headrace.watermark.{key[0]}.{key[1]}": mark for key, mark in marks.items()}
    return TableState("u", "file:///t", 8, 4, named)


@pytest.mark.parametrize(
    ("found", "follows", "says"),
    [
        (later(a1=40, b2=9), True, ""),
        (later(a1=41, b2=9, c3=1), True, ""),
        (later(a1=40), True, "lost 1 of 2 watermarks: expected headrace.watermark.b.2 to be 9 or more, got none"),
        (later(a1=39, b2=8), True, "lost 2 of 2 watermarks: expected headrace.watermark.a.1 to be 40 or more, got 39"),
        (later(a1=41, b2=9), False, "its snapshot to follow from 7 (number 3, 0 readings), got 8 (number 4, 0 readings)"),
    ],
)  # fmt: skip
def test_what_the_table_had_it_must_have(found: TableState, follows: bool, says: str) -> None:
    """More is well; less of anything is said with what was expected."""
    lost = found.lacks(KNOWN, follows=follows)
    assert says in lost
    assert bool(lost) == bool(says)


def test_a_record_of_an_earlier_version_knows_the_table_alone(tmp_path: Path) -> None:
    """It is filled with the next look; another table is noticed as ever."""
    store = LocalStore(tmp_path)
    store.put(PATH, b'{"uuid":"u","location":"file:///t"}')
    with pytest.raises(LakeError, match="is another one"):
        TableRecord(store).check(TableState("other"), lambda _: True)
    TableRecord(store).check(KNOWN, lambda known: not known.snapshot)
    assert TableRecord(store).read() == KNOWN


def test_a_record_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    """Not taken for none: then a table that is gone would be made anew."""
    store = LocalStore(tmp_path)
    store.put(PATH, b"{")
    with pytest.raises(LakeError, match="not readable"):
        TableRecord(store).read()
