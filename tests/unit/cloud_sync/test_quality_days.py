"""Which days are judged, and in which pieces."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from cloud_sync.quality.chunks import LAST, Chunk, chunks
from cloud_sync.quality.days import Changed, Counted, Judged, devices, due, read_until, write_until

DAY = date(2026, 11, 23)
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def before(days: int) -> date:
    return DAY - timedelta(days=days)


def judged(readings: int, at: datetime, odd: int = 0) -> Judged:
    return Judged(Counted(readings, odd), at)


def ask(found: dict[date, int], known: dict[date, Judged], now: datetime = NOON) -> list[date]:
    counted = {day: Counted(readings) for day, readings in found.items()}
    return due(counted, known, now=now, settle_s=3600.0)


def test_days_are_judged_oldest_first_and_not_twice() -> None:
    """What is usual is learned from the days before."""
    found = {DAY: 5, before(1): 7}
    assert ask(found, {}) == [before(1), DAY]
    known = {before(1): judged(7, NOON), DAY: judged(5, NOON)}
    assert ask(found, known) == []


def test_late_readings_make_their_own_day_due() -> None:
    """And odd ones that of their arrival."""
    known = {before(each): judged(7, NOON) for each in range(3)}
    assert ask({DAY: 7, before(1): 8, before(2): 7}, known) == [before(1)]
    odd = {before(1): Counted(7, 2), DAY: Counted(7), before(2): Counted(7)}
    assert due(odd, known, now=NOON, settle_s=0) == [before(1)]


def test_a_running_day_is_judged_once_more_when_it_is_over() -> None:
    """Only then what is missing at its end counts."""
    found, known = {DAY: 7}, {DAY: judged(7, NOON)}
    midnight = datetime(2026, 11, 24, tzinfo=UTC)
    assert ask(found, known, midnight + timedelta(minutes=59)) == [date(2026, 11, 24)]
    assert ask(found, known, midnight + timedelta(minutes=60)) == [DAY, date(2026, 11, 24)]


def test_silence_after_speech_is_judged_for_two_weeks() -> None:
    """A day without a file is what one wants to know."""
    assert ask({before(3): 7}, {before(3): judged(7, NOON)}) == [before(2), before(1), DAY]
    assert ask({before(40): 7}, {}) == [before(each) for each in range(40, 25, -1)]


def test_days_that_retention_has_taken_stay_as_they_were_judged() -> None:
    """And those that have not begun wait."""
    known = {before(1): judged(7, NOON), DAY: judged(1, NOON)}
    assert ask({DAY: 1, DAY + timedelta(days=1): 3}, known) == []


def test_devices_with_new_readings_are_judged_and_no_others() -> None:
    """Where what came is all that changed, and is of a part of them."""
    over = datetime(2026, 11, 24, 1, tzinfo=UTC)
    known = Judged(Counted(100, 1), NOON, devices=10)
    came = Changed(7, frozenset({"a", "b"}))

    def ask_of(**other: Any) -> frozenset[str] | None:
        given = {"found": Counted(107, 1), "judged": known, "changed": came, "now": NOON} | other
        return devices(
            given.pop("found"), given.pop("judged"), given.pop("changed"), is_over_at=over, **given
        )

    assert ask_of() == {"a", "b"}
    assert ask_of(judged=None) is None
    assert ask_of(changed=None) is None
    assert ask_of(found=Counted(108, 1)) is None  # somebody else has added one
    assert ask_of(found=Counted(107, 2)) is None
    assert ask_of(now=over) is None  # over for the first time: each series counts to its end
    assert ask_of(judged=Judged(Counted(100, 1), over, devices=10), now=over) == {"a", "b"}
    assert ask_of(changed=Changed(7, frozenset("abcdef"))) is None


def test_up_to_when_running_days_were_judged_is_remembered_for_two_days() -> None:
    """And nothing is made of what somebody else has written there."""
    said: dict[str, str] = {}
    for day, until_us in ((before(2), 7), (before(1), 8), (DAY, 9)):
        said = write_until(read_until(said), day, until_us)
    assert read_until(said) == {before(1): 8, DAY: 9}
    assert read_until(write_until(read_until(said), before(1), None)) == {DAY: 9}
    assert read_until(dict.fromkeys(said, "yesterday")) == {}


def test_pieces_hold_what_they_may_and_leave_no_series_out() -> None:
    """Devices together, a large one by its names, one series alone whatever its size."""
    counts = [
        ("a", "x", 3),
        ("b", "x", 3),
        ("c", "x", 6),
        ("c", "y", 6),
        ("c", "z", 90),
        ("d", "x", 1),
    ]
    found = chunks(counts, 10)
    assert found == [
        Chunk("", "b"), Chunk("b", "c", "", "x"), Chunk("b", "c", "x", "y"), Chunk("b", "c", "y", LAST),
        Chunk("c", LAST),
    ]  # fmt: skip
    assert chunks([], 10) == [Chunk()]
    for device in ("", "a", "aa", "b", "bb", "c", "cc", "d", "e"):
        for name in ("a", "x", "xx", "y", "z", "zz"):
            assert sum(holds(each, device or "0", name) for each in found) == 1


def holds(chunk: Chunk, device: str, name: str) -> bool:
    return (
        chunk.after_device < device <= chunk.up_to_device
        and chunk.after_name < name <= chunk.up_to_name
    )


@pytest.mark.parametrize("limit", [1, 2, 5, 100])
def test_any_limit_covers_all(limit: int) -> None:
    """Also where each series is too large."""
    counts = [(f"d{at // 3}", f"n{at % 3}", 1 + at % 4) for at in range(12)]
    for device, name, _ in counts:
        assert sum(holds(each, device, name) for each in chunks(counts, limit)) == 1
