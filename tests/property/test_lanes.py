"""Lanes under arrivals, outages, rests, kills and stale state: nothing is left out, order is kept."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.lanes import STATE_KEY, LanePolicy, Lanes

ROWS = 10

events = st.lists(
    st.one_of(
        st.tuples(st.just("arrive"), st.integers(1, 40)),
        st.tuples(st.just("work"), st.integers(1, 6)),
        st.tuples(st.just("pass"), st.integers(1, 90)),
        st.tuples(st.just("kill"), st.integers(0, 3)),
    ),
    max_size=60,
)

policies = st.builds(
    LanePolicy,
    live_first=st.booleans(),
    live_within_s=st.sampled_from([1.0, 10.0]),
    max_readings_per_s=st.sampled_from([0.0, 50.0]),
    backfill_readings_per_s=st.sampled_from([0.0, 20.0]),
    backfill_share=st.sampled_from([0.1, 0.5, 1.0]),
)


@dataclass
class World:
    """A journal of batches of ten readings, a reader of it, and what it has on disk."""

    policy: LanePolicy
    now: float = 0.0
    arrived: list[float] = field(default_factory=list)
    delivered: list[int] = field(default_factory=list)
    lives: list[list[tuple[str, int]]] = field(default_factory=lambda: [[]])
    cursors: list[int] = field(default_factory=lambda: [0])
    stored: list[bytes | None] = field(default_factory=lambda: [None])

    def __post_init__(self) -> None:
        self.lanes = Lanes(self.policy)

    @property
    def head(self) -> int:
        return len(self.arrived)

    def work(self) -> None:
        turn = self.lanes.turn(self.now, 1.0)
        if turn.rest_s:
            self.now += turn.rest_s
            return
        end = self.head if turn.up_to is None else turn.up_to
        offsets = list(range(turn.after + 1, end + 1))[: max(1, min(3, turn.max_rows // ROWS))]
        if not offsets:
            self.now += turn.wait_s
        elif self.lanes.jump(turn, offsets[0], offsets[-1], self.head, self.now - self.arrived[offsets[0] - 1]):  # fmt: skip
            return
        self.delivered += offsets
        self.lives[-1] += [(turn.lane, offset) for offset in offsets]
        last = offsets[-1] if offsets else turn.after
        self.lanes.done(turn, last, rows=ROWS * len(offsets), head=self.head, now=self.now, took_s=0.1)  # fmt: skip
        self.now += 0.1
        self.cursors.append(self.lanes.cursor)
        state = self.lanes.state(self.now)
        self.stored.append(state[STATE_KEY] if state else self.stored[-1])

    def kill(self, lag: int) -> None:
        """What is on disk may be some commits old; state and cursor of one commit, or older state."""
        at = max(0, len(self.cursors) - 1 - lag)
        del self.cursors[at + 1 :], self.stored[at + 1 :]
        self.lanes = Lanes(self.policy, self.cursors[at], self.stored[at])
        self.lives.append([])

    def play(self, event: str, amount: int) -> None:
        if event == "arrive":
            self.arrived += [self.now] * amount
        elif event == "work":
            for _ in range(amount):
                self.work()
        elif event == "pass":
            self.now += amount
        elif event == "kill":
            self.kill(amount)

    def drain(self) -> None:
        for _ in range(20_000):
            if self.lanes.cursor == self.head:
                return
            self.work()
        raise AssertionError(f"stuck at {self.lanes.cursor} of {self.head}")


@given(policies, events)
@settings(max_examples=300, deadline=None)
def test_every_batch_is_delivered_and_each_lane_keeps_its_order(
    policy: LanePolicy, history: list[tuple[str, int]]
) -> None:
    """Whatever dies when; and without a kill each exactly once."""
    world = World(policy)
    for event, amount in history:
        world.play(event, amount)
        done = set(world.delivered)
        assert done.issuperset(range(1, world.lanes.cursor + 1)), "the journal may drop these"
    world.drain()
    assert set(world.delivered) == set(range(1, world.head + 1))
    if not any(event == "kill" for event, _ in history):
        assert len(world.delivered) == world.head
    for life in world.lives:
        for lane in ("live", "backfill"):
            offsets = [offset for each, offset in life if each == lane]
            assert offsets == sorted(set(offsets))


@given(events)
@settings(max_examples=100, deadline=None)
def test_a_reader_without_live_first_gets_everything_in_order(
    history: list[tuple[str, int]],
) -> None:
    """One lane, whatever the rates are."""
    world = World(LanePolicy(max_readings_per_s=50, backfill_readings_per_s=20))
    for event, amount in history:
        if event != "kill":
            world.play(event, amount)
    world.drain()
    assert world.delivered == list(range(1, world.head + 1))


@given(st.integers(200, 2_000), st.sampled_from([20.0, 100.0]), st.integers(1, 3))
@settings(max_examples=50, deadline=None)
def test_history_never_goes_faster_than_its_rate(batches: int, rate: float, live: int) -> None:
    """Over any stretch from the first of it: rate times time, one second saved up, one delivery."""
    policy = LanePolicy(live_first=True, backfill_readings_per_s=rate, backfill_share=1.0)
    world = World(policy, now=3_600.0, arrived=[0.0] * batches)
    started, sent = None, 0
    for _ in range(300):
        world.arrived += [world.now] * live
        before = len(world.lives[-1])
        world.work()
        sent += ROWS * sum(lane == "backfill" for lane, _ in world.lives[-1][before:])
        started = world.now if started is None and sent else started
        if started is not None:
            assert sent <= rate * (world.now - started + 1) + 2 * 3 * ROWS
        newest = [offset for lane, offset in world.lives[-1] if lane == "live"]
        assert not newest or newest[-1] > batches
