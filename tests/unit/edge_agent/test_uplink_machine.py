"""The uplink machine, event by event."""

from __future__ import annotations

from edge_agent.uplink.machine import (
    NEVER,
    Connect,
    Disconnect,
    Forget,
    Limits,
    Machine,
    Refuse,
    Send,
    State,
)
from headrace.wire import payload_crc

STREAM = "00112233445566aa"
LIMITS = Limits(window_batches=3, window_bytes=100, ack_timeout_s=10.0)


def machine_at(jitter: float = 1.0) -> Machine:
    return Machine(STREAM, limits=LIMITS, jitter=lambda: jitter)


def connected(jitter: float = 1.0) -> Machine:
    machine = machine_at(jitter)
    assert machine.tick(0.0) == [Connect()]
    assert machine.connected(0.0) == []
    return machine


def offer(machine: Machine, first: int, last: int, size: int = 10, now: float = 0.0) -> None:
    actions = machine.offer(first, last, bytes(size), now)
    assert actions == [Send(first, last, bytes(size), False)]
    machine.published(first)


def test_it_connects_at_the_first_tick() -> None:
    """Nothing is waited for at the start."""
    machine = machine_at()
    assert machine.next_tick() == 0.0
    assert machine.tick(0.0) == [Connect()]
    assert machine.state is State.CONNECTING
    assert machine.next_tick() == NEVER


def test_the_window_is_bounded_in_batches_and_bytes() -> None:
    """A batch fits when both bounds hold; a large one goes alone."""
    machine = connected()
    assert machine.room(1_000)
    offer(machine, 1, 5, size=60)
    assert machine.room(40)
    assert not machine.room(41)
    offer(machine, 6, 7)
    offer(machine, 8, 9)
    assert not machine.room(1)


def test_an_ack_forgets_and_makes_room() -> None:
    """A batch leaves when the gateway has it whole."""
    machine = connected()
    offer(machine, 1, 10)
    offer(machine, 11, 20)
    assert machine.acked(STREAM, [(1, 10)], 1.0) == [Forget(((1, 10),))]
    assert machine.in_flight == 1


def test_an_ack_of_several_batches_forgets_them_all() -> None:
    """The gateway may join what it acknowledges."""
    machine = connected()
    offer(machine, 1, 10)
    offer(machine, 11, 20)
    assert machine.acked(STREAM, [(1, 20)], 1.0) == [Forget(((1, 10), (11, 20)))]


def test_partial_acks_add_up() -> None:
    """Half a batch is not forgotten; both halves are."""
    machine = connected()
    offer(machine, 1, 10)
    assert machine.acked(STREAM, [(6, 12)], 1.0) == []
    assert machine.acked(STREAM, [(1, 5)], 1.0) == [Forget(((1, 10),))]


def test_an_ack_of_another_stream_or_of_nothing_in_flight_is_ignored() -> None:
    """What the uplink has not sent it does not forget."""
    machine = connected()
    offer(machine, 1, 10)
    assert machine.acked("ffffffffffffffff", [(1, 10)], 1.0) == []
    assert machine.acked(STREAM, [(11, 20)], 1.0) == []
    assert machine.in_flight == 1


def test_a_reconnect_sends_everything_in_flight_again_in_order() -> None:
    """Nothing that was not acknowledged is given up by a lost connection."""
    machine = connected()
    offer(machine, 1, 10)
    offer(machine, 11, 20)
    assert machine.disconnected(5.0) == []
    assert machine.tick(6.0) == [Connect()]
    sent = machine.connected(6.0)
    assert [(a.first_seq, a.again) for a in sent if isinstance(a, Send)] == [(1, True), (11, True)]


def test_the_pause_doubles_and_only_progress_resets_it() -> None:
    """A broker that drops us at every publish meets longer and longer pauses, not a loop."""
    machine = connected()
    offer(machine, 1, 10)
    pauses, now = [], 1.0
    for _ in range(9):
        machine.disconnected(now)
        pauses.append(machine.next_tick() - now)
        now = machine.next_tick()
        assert machine.tick(now) == [Connect()]
        machine.connected(now)
    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    machine.acked(STREAM, [(1, 10)], now)
    machine.disconnected(now + 1)
    assert machine.next_tick() - (now + 1) == 0.5


def test_a_connection_that_has_held_resets_the_pause() -> None:
    """A device with nothing to send gets no ack, but its connection was good."""
    machine = connected()
    machine.disconnected(1.0)
    machine.tick(2.0)
    machine.connected(2.0)
    machine.disconnected(2.0 + LIMITS.retry_max_s)
    assert machine.next_tick() == 2.0 + LIMITS.retry_max_s + 0.5


def test_an_overdue_batch_is_sent_again() -> None:
    """Its ack or the batch itself was lost."""
    machine = connected(jitter=0.0)
    offer(machine, 1, 10)
    assert machine.next_tick() == 10.0
    assert machine.tick(9.9) == []
    assert machine.tick(10.0) == [Send(1, 10, bytes(10), True)]


def test_a_broker_that_takes_nothing_in_time_is_a_dead_connection() -> None:
    """Publishing again would only hand the client a second copy."""
    machine = connected(jitter=0.0)
    machine.offer(1, 10, b"x", 0.0)
    (action,) = machine.tick(10.0)
    assert isinstance(action, Disconnect)


def test_when_the_gateway_is_back_the_others_follow_at_once() -> None:
    """After a silence the first ack lets everything that waited be sent again."""
    machine = connected(jitter=0.0)
    for first in (1, 11, 21):
        offer(machine, first, first + 9)
    for action in machine.tick(10.0):  # all of them, once
        machine.published(action.first_seq)  # type: ignore[union-attr]
    assert machine.tick(20.0) == [Send(1, 10, bytes(10), True)]
    machine.published(1)
    machine.acked(STREAM, [(1, 10)], 21.0)
    assert [a.first_seq for a in machine.tick(21.0) if isinstance(a, Send)] == [11, 21]


def test_a_nack_refuses_what_it_names() -> None:
    """The gateway keeps it in quarantine; the device may delete it."""
    machine = connected()
    offer(machine, 1, 10)
    assert machine.nacked(STREAM, [(1, 10)], 0, "bad_value") == [Refuse(((1, 10),), "bad_value")]
    assert machine.in_flight == 0


def test_a_nack_without_ranges_names_the_payload_by_its_checksum() -> None:
    """A payload that is too broken to say what it held is found all the same, and no other."""
    machine = connected()
    offer(machine, 1, 10, size=10)
    offer(machine, 11, 20, size=11)
    crc = payload_crc(bytes(11))
    assert machine.nacked("", [], crc, "broken_frame") == [Refuse(((11, 20),), "broken_frame")]
    assert machine.in_flight == 1


def test_a_nack_that_fits_nothing_in_flight_changes_nothing() -> None:
    """It names another stream, or a payload that is not ours."""
    machine = connected()
    offer(machine, 1, 10)
    assert machine.nacked("ffffffffffffffff", [(1, 10)], 0, "bad_value") == []
    assert machine.nacked("", [], 12345, "broken_frame") == []
    assert machine.in_flight == 1
