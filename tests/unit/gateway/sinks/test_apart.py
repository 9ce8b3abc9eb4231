"""Odd times are held back, and every other reading keeps its number."""

from __future__ import annotations

import numpy as np

from gateway.feed import Entry
from gateway.sinks.apart import without_odd
from gateway.sinks.columns import gather
from tests.gateway_entries import SECOND, START, entry, rows, series

DAY = 86_400 * SECOND


def batch(times: list[int], device: str = "pump") -> Entry:
    values = [float(number) for number in range(len(times))]
    return entry(device, rows(["x"] * len(times), times, values), received_at=START, first_seq=10)


def test_batches_without_odd_times_are_the_same_objects() -> None:
    """Nearly all are: nothing is cut or copied for them."""
    entries = [batch([START, START + 1]), series("other", "y", [1.0])]
    assert without_odd(entries) == (entries, {})
    assert without_odd([]) == ([], {})


def test_odd_readings_leave_and_the_others_keep_their_numbers() -> None:
    """A device whose clock is set in the middle of a batch, and one that is a year ahead."""
    mixed = batch([0, 1, START, START + 1, START + 400 * DAY, START + 2])
    plain = series("other", "y", [1.0, 2.0], first_seq=5)
    kept, held = without_odd([mixed, plain, batch([0, 1], "lost")])
    assert held == {"pump": 3, "lost": 2}
    columns = gather(kept)
    assert columns.seq.tolist() == [12, 13, 15, 5, 6]
    assert columns.value.to_pylist() == [2.0, 3.0, 5.0, 1.0, 2.0]
    assert kept[-1] is plain


def test_a_gateway_without_a_clock_of_its_own_says_nothing_about_ahead() -> None:
    """It received them in 1970: what is ahead of that is right."""
    early = entry("d", rows(["x"], [START], [1.0]), received_at=5)
    assert without_odd([early]) == ([early], {})


def test_a_batch_of_turns_is_cut_into_its_runs() -> None:
    """The worst that a device can do."""
    times = np.where(np.arange(100) % 2, START, 0).tolist()
    kept, held = without_odd([batch(times)])
    assert (len(kept), held) == (50, {"pump": 50})
    assert [part.first_seq for part in kept] == list(range(11, 110, 2))
