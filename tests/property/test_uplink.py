"""The uplink machine against a network that loses, repeats, reorders and disconnects."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.uplink.machine import (
    Action,
    Connect,
    Disconnect,
    Forget,
    Limits,
    Machine,
    Refuse,
    Send,
    State,
)
from headrace.ranges import RangeSet

STREAM = "00112233445566aa"
WINDOW = Limits(window_batches=4, window_bytes=40, ack_timeout_s=5.0, retry_max_s=8.0)


@dataclass
class World:
    """A machine, a buffer of batches, a gateway that remembers, and a network between them."""

    seed: int
    sizes: list[int]
    now: float = 0.0
    to_gateway: list[tuple[int, int]] = field(default_factory=list)
    to_device: list[tuple[int, int]] = field(default_factory=list)
    connecting: bool = False

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.machine = Machine(STREAM, limits=WINDOW, jitter=self.random.random)
        self.next_batch = 0
        self.gateway_has = RangeSet()
        self.forgotten: list[tuple[int, int]] = []

    def batch(self, index: int) -> tuple[int, int]:
        return index * 10 + 1, index * 10 + 10

    def do(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Connect():
                    self.connecting = True
                case Disconnect():
                    self.lose_connection()
                case Send(first, last, _, _):
                    assert self.machine.state is State.CONNECTED
                    self.to_gateway.append((first, last))
                    if self.random.random() < 0.9:
                        self.machine.published(first)
                case Forget(ranges):
                    for pair in ranges:
                        assert not self.gateway_has.missing(*pair), (
                            "forgot before the gateway had it"
                        )
                        self.forgotten.append(pair)
                case Refuse():
                    raise AssertionError("nothing was refused")

    def lose_connection(self) -> None:
        self.connecting = False
        # What was on its way may still arrive, much later: the lists are kept.
        self.do(self.machine.disconnected(self.now))

    def step(self, *, faulty: bool) -> None:
        self.now += self.random.uniform(0.0, 1.0)
        machine = self.machine
        if self.connecting:
            self.connecting = False
            if faulty and self.random.random() < 0.3:
                self.do(machine.disconnected(self.now))
            else:
                self.do(machine.connected(self.now))
        elif faulty and machine.state is State.CONNECTED and self.random.random() < 0.1:
            self.lose_connection()
        self.do(machine.tick(self.now))
        self.deliver_to_gateway(faulty)
        self.deliver_to_device(faulty)
        while self.next_batch < len(self.sizes) and machine.room(self.sizes[self.next_batch]):
            first, last = self.batch(self.next_batch)
            payload = bytes(self.sizes[self.next_batch])
            self.next_batch += 1
            self.do(machine.offer(first, last, payload, self.now))
        self.check_window()

    def check_window(self) -> None:
        assert self.machine.in_flight <= WINDOW.window_batches
        assert self.machine.in_flight_bytes <= WINDOW.window_bytes or self.machine.in_flight == 1

    def deliver_to_gateway(self, faulty: bool) -> None:
        for pair in self.mangle(self.to_gateway, faulty):
            self.gateway_has.add(*pair)
            # The gateway may acknowledge in any cut: whole, or in halves.
            middle = (pair[0] + pair[1]) // 2
            halves = [(pair[0], middle), (middle + 1, pair[1])]
            self.to_device += halves if self.random.random() < 0.3 else [pair]

    def deliver_to_device(self, faulty: bool) -> None:
        for pair in self.mangle(self.to_device, faulty):
            if self.machine.state is State.CONNECTED:
                self.do(self.machine.acked(STREAM, [pair], self.now))

    def mangle(self, queue: list[tuple[int, int]], faulty: bool) -> list[tuple[int, int]]:
        if not faulty:
            taken, queue[:] = list(queue), []
            return taken
        self.random.shuffle(queue)
        taken = [queue.pop() for _ in range(self.random.randint(0, len(queue)))]
        kept = [pair for pair in taken if self.random.random() < 0.7]
        return kept + [pair for pair in kept if self.random.random() < 0.2]


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=25),
    bad_steps=st.integers(0, 150),
)
def test_every_batch_is_acknowledged_in_the_end(
    seed: int, sizes: list[int], bad_steps: int
) -> None:
    """Whatever the network did, once it works every batch is forgotten once, after the gateway had it."""
    world = World(seed, sizes)
    for _ in range(bad_steps):
        world.step(faulty=True)
    for _ in range(600):
        if len(world.forgotten) == len(sizes):
            break
        world.step(faulty=False)
    assert sorted(world.forgotten) == [world.batch(index) for index in range(len(sizes))]
    assert world.machine.in_flight == 0


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32), offers=st.integers(1, 6))
def test_a_gateway_that_is_away_is_not_flooded(seed: int, offers: int) -> None:
    """Without any ack, one batch a timeout is sent again, however many are in flight."""
    chance = random.Random(seed)
    machine = Machine(STREAM, limits=WINDOW, jitter=chance.random)
    machine.tick(0.0)
    machine.connected(0.0)
    sent = min(offers, WINDOW.window_batches)
    for index in range(sent):
        machine.offer(index * 10 + 1, index * 10 + 10, b"x", 0.0)
        machine.published(index * 10 + 1)
    now, resends = 0.0, 0
    while now < 200.0:
        now = max(now + 0.01, machine.next_tick())
        for action in machine.tick(now):
            assert isinstance(action, Send)
            assert action.again
            machine.published(action.first_seq)
            resends += 1
    # The first round may send all of them; after that at most one each ack timeout.
    assert resends <= sent + now / WINDOW.ack_timeout_s + 1
