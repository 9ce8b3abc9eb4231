"""Whose message is next."""

from __future__ import annotations

import pytest

from gateway.ingest.arrival import Arrival
from gateway.ingest.inbox import Inbox
from gateway.ingest.limits import Limits
from headrace.clock import ManualClock
from headrace.limits.ingest import (
    ARRIVALS_MAX_BATCHES,
    COMMIT_MAX_BATCHES,
    DEVICE_WAITING_BATCHES,
    FAIR_TURN_BYTES,
)
from headrace.limits.sizes import KIB


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def limits():
    return Limits()


@pytest.fixture
def inbox(limits, clock):
    return Inbox(limits, clock.monotonic)


def message(device: str, number: int = 0, size: int = 100, may_wait: bool = True) -> Arrival:
    return Arrival(device, "line", b"x" * size, number, may_wait=may_wait)


def hold(limits: Limits, clock: ManualClock, device: str, seconds: float = 10.0) -> None:
    limits.held[device] = clock.monotonic() + seconds


def test_what_fits_into_one_group_is_taken_in_order_of_arrival(inbox):
    """Nobody has to wait for anybody."""
    sent = [message(f"d{number % 3}", number) for number in range(100)]
    inbox.put(sent)
    assert inbox.take(0).arrivals == sent
    assert not inbox.take(0)


def test_a_quiet_device_does_not_wait_behind_all_of_a_busy_one(inbox):
    """Two groups are there before its own one, which goes with the first."""
    inbox.put([message("busy", number) for number in range(2 * COMMIT_MAX_BATCHES)])
    inbox.put([message("quiet")])
    first = inbox.take(0).arrivals
    assert len(first) == COMMIT_MAX_BATCHES
    place = [arrival.device for arrival in first].index("quiet")
    assert place <= FAIR_TURN_BYTES / 600


def test_devices_get_equal_bytes_whatever_the_size_of_their_messages(inbox):
    """Small ones are not put at a disadvantage beside large ones."""
    inbox.put([message("large", number, 1_000 * KIB) for number in range(20)])
    inbox.put([message("small", number, 20 * KIB) for number in range(1_000)])
    sizes = dict.fromkeys(("large", "small"), 0)
    for arrival in inbox.take(0).arrivals:
        sizes[arrival.device] += len(arrival.payload)
    assert 0.7 < sizes["small"] / sizes["large"] < 1.4


def test_messages_of_one_device_keep_their_order(inbox, limits, clock):
    """Whether they came before it was held, meanwhile or after."""
    taken = []
    inbox.put([message(f"d{number % 7}", number) for number in range(4_000)])
    taken += inbox.take(0).arrivals
    hold(limits, clock, "d3")
    inbox.put([message(f"d{number % 7}", number) for number in range(4_000, 4_500)])
    taken += inbox.take(0).arrivals
    clock.advance(11)
    inbox.put([message(f"d{number % 7}", number) for number in range(4_500, 5_000)])
    while inbox.has_room and (group := inbox.take(0)):
        taken += group.arrivals
    assert len(taken) == 5_000
    for device in {arrival.device for arrival in taken}:
        numbers = [arrival.received_at for arrival in taken if arrival.device == device]
        assert numbers == sorted(numbers)


def test_a_device_over_its_limit_waits_and_the_others_go_on(inbox, limits, clock):
    """Nothing of it is lost."""
    hold(limits, clock, "fast", 10.0)
    inbox.put([message("fast", 1), message("slow", 2), message("fast", 3)])
    assert [arrival.device for arrival in inbox.take(0).arrivals] == ["slow"]
    assert inbox.is_empty
    assert inbox.held_s("fast") == 10.0
    clock.advance(10)
    assert [arrival.received_at for arrival in inbox.take(0).arrivals] == [1, 3]


def test_a_device_that_fills_its_own_line_is_told_to_wait(inbox, limits, clock):
    """Its sender is slowed down, and what comes all the same is handed out to be refused."""
    hold(limits, clock, "fast")
    inbox.put([message("fast", number) for number in range(DEVICE_WAITING_BATCHES)])
    assert inbox.has_room
    assert inbox.has_room_for("slow")
    assert not inbox.has_room_for("fast")
    inbox.put([message("fast", 99_999)])
    group = inbox.take(0)
    assert (group.arrivals, [each.received_at for each in group.over_limit]) == ([], [99_999])


def test_what_must_not_wait_is_handed_out_at_once(inbox, limits, clock):
    """A message that waits for its PUBACK takes a place that all devices share."""
    hold(limits, clock, "fast")
    inbox.put([message("fast", 1, may_wait=False), message("slow", 2, may_wait=False)])
    group = inbox.take(0)
    assert [each.received_at for each in group.over_limit] == [1]
    assert [each.received_at for each in group.arrivals] == [2]


def test_held_devices_leave_room_for_the_others(inbox, limits, clock):
    """However many of them there are."""
    refused = 0
    for number in range(20):
        hold(limits, clock, f"fast-{number}")
        inbox.put([message(f"fast-{number}", place) for place in range(1_000)])
        refused += len(inbox.take(0).over_limit)
    assert inbox.has_room
    assert 20_000 - refused <= ARRIVALS_MAX_BATCHES // 2
    inbox.put([message("slow")])
    assert [arrival.device for arrival in inbox.take(0).arrivals] == ["slow"]


def test_nothing_is_left_behind_in_the_count(inbox, limits, clock):
    """Room comes back when all has been taken."""
    for number in range(5):
        hold(limits, clock, f"d{number}", seconds=number)
    inbox.put([message(f"d{number % 9}", number, 50 * KIB) for number in range(1_000)])
    clock.advance(5)
    while inbox.take(0):
        pass
    assert (inbox._count, inbox._bytes) == (0, 0)
