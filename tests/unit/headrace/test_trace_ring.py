"""Which batches came from which trace, as the process that lands them finds it."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.tracing import ring
from headrace.tracing.ring import RECORDS, Group, Ring, between, read


def group(last: int) -> Group:
    return Group(last, 2**127 + last, 2**63 + last)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ring.FILE_NAME


def fill(path: Path, *lasts: int) -> None:
    writer = Ring(path)
    for last in lasts:
        writer.add(group(last))
    writer.close()


def test_a_range_has_the_groups_that_brought_it(path: Path) -> None:
    """Also the one that reaches beyond its end."""
    fill(path, 10, 20, 30)
    assert [each.last for each in between(read(path), 11, 25)] == [20, 30]
    assert between(read(path), 5, 10) == [group(10)]
    assert between(read(path), 31, 40) == []


def test_it_goes_on_behind_a_restart_and_keeps_the_newest(path: Path) -> None:
    """In as many bytes as it had."""
    fill(path, *range(1, 11))
    fill(path, *range(11, RECORDS + 6))
    found = read(path)
    assert (len(found), found[0].last, found[-1].last) == (RECORDS, 6, RECORDS + 5)
    assert path.stat().st_size == RECORDS * 32


def test_a_new_journal_begins_it_anew(path: Path) -> None:
    """Its offsets would be those of other batches."""
    fill(path, 100, 200)
    fill(path, 1, 2)
    assert read(path) == [group(1), group(2)]


def test_what_is_not_there_or_cut_off_is_nothing(path: Path) -> None:
    """It is a hint."""
    assert read(path) == []
    fill(path, 1)
    path.write_bytes(path.read_bytes() + b"torn")
    assert read(path) == [group(1)]
