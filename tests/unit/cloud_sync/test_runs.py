"""Which files of a day are merged next."""

from __future__ import annotations

import pytest

from cloud_sync.maintain.runs import (
    Choice,
    File,
    Run,
    choose,
    file_name,
    job_name,
    job_start_us,
    runs_of,
)
from headrace.limits.maintain import FAN_IN, FAN_IN_ROWS

NOW_US = 1_790_035_200_000_000


def landed(count: int, *, size: int = 100, rows: int = 10) -> list[File]:
    return [File(f"file:///lake/landing/{at:020d}.parquet", size, rows) for at in range(count)]


def compacted(job: str, sizes: list[int], *, is_dense: bool) -> list[File]:
    return [
        File(f"file:///lake/data/day=x/{file_name(job, at, is_dense=is_dense)}", size, 10)
        for at, size in enumerate(sizes)
    ]


def chosen(files: list[File], *, is_over: bool, min_runs: int = 4) -> Choice | None:
    return choose(runs_of(files), is_over=is_over, min_runs=min_runs)


def sizes(choice: Choice | None) -> list[int]:
    assert choice is not None
    return [run.bytes for run in choice.runs]


def test_files_of_one_compaction_are_one_run() -> None:
    """Whatever their number; a landed file is a run of its own."""
    job = job_name(NOW_US, "0123abcd")
    runs = runs_of([*landed(2), *compacted(job, [5, 6, 7], is_dense=True)])
    assert [(len(run.files), run.is_dense) for run in runs] == [(1, False), (1, False), (3, True)]


def test_the_name_of_a_compaction_tells_its_age() -> None:
    """To the second."""
    assert job_start_us(job_name(NOW_US + 999_999, "0123abcd")) == NOW_US


@pytest.mark.parametrize("count", [0, 1, 3])
def test_few_files_of_an_open_day_are_left_alone(count: int) -> None:
    """More come soon."""
    assert chosen(landed(count), is_over=False) is None


def test_files_of_one_size_are_merged_on_an_open_day() -> None:
    """And the large result of an earlier merge is not read again for them."""
    merged = compacted(job_name(NOW_US, "0123abcd"), [4_000], is_dense=False)
    choice = chosen([*merged, *landed(5)], is_over=False)
    assert sizes(choice) == [100] * 5
    assert choice is not None
    assert not choice.is_dense


def test_a_day_that_is_over_becomes_one_dense_run() -> None:
    """Also where there is one file only, as it landed."""
    for count in (1, 2, 9):
        choice = chosen(landed(count), is_over=True)
        assert choice is not None
        assert (len(choice.runs), choice.is_dense) == (count, True)
    dense = compacted(job_name(NOW_US, "0123abcd"), [500, 500], is_dense=True)
    assert chosen(dense, is_over=True) is None


def test_late_readings_wait_until_they_are_worth_it() -> None:
    """A tenth of the day, or enough files to merge among themselves."""
    dense = compacted(job_name(NOW_US, "0123abcd"), [2_000], is_dense=True)
    assert chosen([*dense, *landed(1)], is_over=True) is None
    assert sizes(chosen([*dense, *landed(2)], is_over=True)) == [100, 100, 2_000]
    small = landed(4, size=10)
    choice = chosen([*dense, *small], is_over=True)
    assert sizes(choice) == [10] * 4
    assert choice is not None
    assert not choice.is_dense


def test_more_than_one_merge_can_read_takes_several() -> None:
    """The smallest first; only the last merge of a day is dense."""
    many = chosen(landed(FAN_IN + 1), is_over=True)
    assert many is not None
    assert (len(many.runs), many.is_dense) == (FAN_IN, False)
    long = chosen(landed(100, rows=1_000_000), is_over=True)
    assert long is not None
    assert 2 <= len(long.runs) <= FAN_IN_ROWS // 250_000
    assert not long.is_dense


def test_two_runs_of_any_size_can_be_merged() -> None:
    """Else a day could be stuck."""
    runs = [Run((File(f"{at}", 10**9, 10**9),), is_dense=False) for at in range(2)]
    choice = choose(runs, is_over=True, min_runs=4)
    assert choice is not None
    assert len(choice.runs) == 2
