"""Which days of which devices are computed again, from the metadata of two tables alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cloud_sync.compute.days import (
    Area,
    DataFile,
    Done,
    Source,
    day_of,
    name_of,
    read_done,
    regions,
    settled,
    versions_by_rows,
    write_done,
)
from headrace.errors import LakeError

DAY = day_of("2026-11-23")


def file(day: int, rows: int, sequence: int, first: str = "a", last: str = "z") -> DataFile:
    return DataFile(f"{day}-{sequence}-{first}", 1, rows, sequence, Area(day, day, first, last))


def source(*files: DataFile) -> Source:
    return Source(files, versions_by_rows(files), max(each.sequence for each in files))


def done(made: Source) -> dict[int, Done]:
    return {each.day: each.done for each in regions(made, {})}


def areas(now: Source, before: dict[int, Done], **more: int) -> list[tuple[int, str, str | None]]:
    found = regions(now, before, **more)
    return [(each.day - DAY, each.area.first_device, each.area.last_device) for each in found]


def test_a_new_table_has_every_day_computed_as_a_whole() -> None:
    """Oldest first."""
    assert areas(source(file(DAY + 1, 5, 2), file(DAY, 5, 1)), {}) == [(0, "", None), (1, "", None)]


def test_a_day_is_left_alone_while_nothing_has_come_to_it() -> None:
    """Whatever came to other days."""
    before = source(file(DAY, 5, 1), file(DAY + 1, 5, 1))
    now = source(file(DAY, 5, 1), file(DAY + 1, 5, 1), file(DAY + 1, 3, 2))
    assert areas(before, done(before)) == []
    assert areas(now, done(before)) == [(1, "a", "z")]


def test_late_readings_cost_their_devices_alone() -> None:
    """From the first to the last of those in new files."""
    old = file(DAY, 5, 1)
    now = source(old, file(DAY, 1, 2, "k", "k"), file(DAY, 1, 3, "m", "n"))
    assert areas(now, done(source(old))) == [(0, "k", "n")]


def test_compaction_changes_no_version() -> None:
    """The same rows in another file, with a newer sequence."""
    before = source(file(DAY, 5, 1), file(DAY, 3, 2))
    assert areas(source(file(DAY, 8, 9)), done(before)) == []


def test_late_readings_that_were_compacted_cost_what_the_compacted_file_can_hold() -> None:
    """They are in it somewhere."""
    now = source(file(DAY, 6, 9, "a", "z"), file(DAY, 3, 2, "k", "k"))
    before = done(source(file(DAY, 5, 1), file(DAY, 3, 2, "k", "k")))
    assert areas(now, before) == [(0, "a", "z")]


def test_a_day_with_fewer_rows_is_computed_as_a_whole() -> None:
    """Somebody has deleted some, and no new file says where."""
    before = source(file(DAY, 5, 1), file(DAY, 3, 2))
    assert areas(source(file(DAY, 5, 1)), done(before)) == [(0, "", None)]


def test_a_day_that_retention_took_stays_as_it_was_computed() -> None:
    """It is in no list of what there is to do."""
    before = source(file(DAY, 5, 1), file(DAY + 1, 5, 1))
    assert areas(source(file(DAY + 1, 5, 1)), done(before)) == []


def test_days_can_be_computed_again_whatever_their_versions_say() -> None:
    """From the day that was asked for."""
    before = source(file(DAY, 5, 1), file(DAY + 1, 5, 1))
    assert areas(before, done(before), since=DAY + 1) == [(1, "", None)]


def test_late_readings_of_a_day_that_retention_takes_change_nothing() -> None:
    """With what is there of it now the rest of what was computed would be lost; a day that was not computed yet is."""
    known = done(source(file(DAY, 5, 1), file(DAY + 1, 5, 1)))
    late = [file(DAY, 1, 2, "k", "k"), file(DAY + 1, 5, 1), file(DAY + 1, 1, 2, "k", "k")]
    now = replace(source(*late), kept_from=DAY + 1)
    assert areas(now, known) == [(1, "k", "k")]
    assert areas(now, known, since=DAY) == [(1, "", None)]
    assert areas(now, {}) == [(0, "", None), (1, "", None)]


def test_windows_do_not_follow_retention() -> None:
    """The day behind the last that is taken stays as it was, and late readings before it do not reach it."""
    old = [file(DAY, 5, 1), file(DAY + 1, 5, 1)]
    known = {each.day: each.done for each in regions(source(*old), {}, back_days=1)}
    for left in ([], [file(DAY, 1, 3)]):
        now = replace(source(*left, file(DAY + 1, 5, 1)), kept_from=DAY + 1)
        assert areas(now, known, back_days=1) == []


def test_what_is_made_of_a_day_that_was_computed_by_force_is_computed_again() -> None:
    """As a whole, and once; also by force again, and with what came later."""
    hours = {DAY: Done("5", 1)}
    (forced,) = regions(source(file(DAY, 5, 1)), {DAY: Done("5", 1)}, since=DAY)
    assert (forced.done.version, forced.done.stamp, forced.done.before) == ("5", "5~1", "5")
    minutes = Source([file(DAY, 9, 7)], {DAY: forced.done.stamp}, 7, {DAY: forced.done})
    (region,) = regions(minutes, hours)
    assert (region.area.last_device, region.done.version) == (None, "5~1")
    assert areas(minutes, {DAY: region.done}) == []
    now = source(file(DAY, 5, 1), file(DAY, 1, 2, "k", "k"))
    (late,) = regions(now, {DAY: forced.done})
    assert (late.done.stamp, late.done.before) == ("6~1", "5~1")
    minutes = Source([file(DAY, 9, 8)], {DAY: late.done.stamp}, 8, {DAY: late.done})
    assert areas(minutes, {DAY: region.done}) == [(0, "k", "k")]


def test_a_day_whose_rows_were_all_taken_back_is_computed_again() -> None:
    """Its readings were deleted but for texts: there are no minutes, and there must be no hours."""
    minutes = Source([], {DAY: "1"}, 9, {DAY: Done("1", 8, "5")})
    assert areas(minutes, {DAY: Done("5", 3)}) == [(0, "", None)]
    assert areas(minutes, {}) == []


def test_windows_that_reach_back_make_the_day_after_wait_too() -> None:
    """And its region is that of the day before."""
    old = [file(DAY, 5, 1), file(DAY + 1, 5, 1), file(DAY + 2, 5, 1)]
    before = {each.day: each.done for each in regions(source(*old), {}, back_days=1)}
    now = source(*old, file(DAY, 1, 2, "k", "k"))
    assert areas(now, before, back_days=1) == [(0, "k", "k"), (1, "k", "k")]


def test_what_was_computed_from_it_takes_the_region_that_was_computed() -> None:
    """Files of others that were copied on the way do not count; who is further behind takes the whole day."""
    one = source(file(DAY, 5, 1))
    made = done(one)
    now = source(file(DAY, 5, 1), file(DAY, 1, 2, "k", "k"))
    (region,) = regions(now, made)
    minutes = Source([file(DAY, 9, 7)], {DAY: "6"}, 7, {DAY: region.done})
    assert areas(minutes, {DAY: Done("5", 3)}) == [(0, "k", "k")]
    assert areas(minutes, {DAY: Done("4", 2)}) == [(0, "", None)]


def test_after_compaction_a_late_reading_costs_its_device_again() -> None:
    """Once a run has seen that the day is as it was."""
    before = done(source(file(DAY, 5, 1), file(DAY, 3, 2)))
    dense = source(file(DAY, 8, 9))
    known = before | settled(dense, before)
    assert settled(dense, known) == {}
    now = source(file(DAY, 8, 9), file(DAY, 1, 10, "k", "k"))
    assert areas(now, known) == [(0, "k", "k")]


def test_a_file_without_a_last_device_can_hold_any() -> None:
    """Statistics are a promise, and their want is none."""
    old = file(DAY, 5, 1)
    unknown = DataFile("x", 1, 1, 2, Area(DAY, DAY))
    assert areas(source(old, unknown), done(source(old))) == [(0, "", None)]


def test_what_is_remembered_is_read_back() -> None:
    """By the month, so that a commit writes the month that it changed."""
    known = {
        DAY: Done("5", 1), DAY - 1: Done("5~2", 1, "5~1", forced=3),
        DAY - 40: Done("7+8", 3, "7+6", "a b", "k:%"),
    }  # fmt: skip
    properties = write_done({}, known)
    assert sorted(properties) == ["headrace.compute.days.2026-10", "headrace.compute.days.2026-11"]
    assert read_done(properties | {"else": "x"}) == known
    changed = write_done(known, {DAY + 1: Done("9", 4)})
    assert changed == {"headrace.compute.days.2026-11": "22:5~2:1:5~1:::3 23:5:1:0 24:9:4:0"}
    assert name_of(DAY) == "2026-11-23"


def test_what_somebody_else_wrote_there_is_an_error() -> None:
    """With the way out."""
    with pytest.raises(LakeError, match="drop the table"):
        read_done({"headrace.compute.days.2026-11": "23:5"})
