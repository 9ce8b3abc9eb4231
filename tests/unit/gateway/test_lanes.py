"""Live first, history beside it: the decisions, without journal, thread or clock."""

from __future__ import annotations

import pytest

from gateway.lanes import IN_ORDER, STATE_KEY, LanePolicy, Lanes, Turn
from headrace.errors import StorageCorrupt
from headrace.limits.consumers import CONSUMER_MAX_ROWS
from headrace.limits.sinks import BACKFILL_MAX_ROWS, BACKFILL_MIN_ROWS, LANES_MAX_RANGES

TICK = 1.0
LIVE_FIRST = LanePolicy(live_first=True)


def finish(lanes: Lanes, turn: Turn, offset: int, head: int, *, now: float = 0.0, rows: int = 10, took: float = 0.0) -> None:  # fmt: skip
    lanes.done(turn, offset, rows=rows, head=head, now=now, took_s=took)


def late(lanes: Lanes, head: int, *, now: float = 0.0) -> bool:
    """A live read of ten batches that arrived an hour ago, with the head further on."""
    turn = lanes.turn(now, TICK)
    assert turn.lane == "live"
    return lanes.jump(turn, turn.after + 1, turn.after + 10, head, 3600.0)


def after_an_outage(policy: LanePolicy = LIVE_FIRST) -> Lanes:
    """Done up to 100; 101 to 1000 are history."""
    lanes = Lanes(policy, 100)
    assert late(lanes, 1000)
    return lanes


def test_a_reader_in_order_has_one_lane_and_stores_nothing() -> None:
    """Rules and inference see what they always saw."""
    lanes = Lanes(IN_ORDER, 5)
    turn = lanes.turn(0.0, TICK)
    assert turn == Turn("live", 5, None, CONSUMER_MAX_ROWS, wait_s=TICK)
    assert not late(lanes, 1000)
    finish(lanes, turn, 15, 1000)
    assert (lanes.cursor, lanes.state(99.0)) == (15, {})


def test_a_late_live_lane_goes_on_at_the_head_and_leaves_history_behind() -> None:
    """What is before the cursor is done; what is between stays in the journal."""
    lanes = after_an_outage()
    assert (lanes.cursor, lanes.live, lanes.backlog) == (100, 1000, 900)


def test_a_reader_that_can_be_current_with_one_delivery_does_not_jump() -> None:
    """Order is not given up for nothing."""
    lanes = Lanes(LIVE_FIRST, 100)
    turn = lanes.turn(0.0, TICK)
    assert not lanes.jump(turn, 101, 110, 110, 3600.0)
    assert not lanes.jump(turn, 101, 110, 1000, 1.0)


def test_history_waits_until_live_is_at_the_head() -> None:
    """A live lane with more than one delivery before it goes first, again and again."""
    lanes = after_an_outage()
    assert lanes.turn(0.0, TICK).lane == "backfill"
    finish(lanes, lanes.turn(0.0, TICK), 110, 1000, rows=BACKFILL_MAX_ROWS, took=0.5)
    turn = lanes.turn(10.0, TICK)
    assert (turn.lane, turn.wait_s) == ("live", 0.0)
    finish(lanes, turn, 1050, 1100, now=10.0)
    assert lanes.turn(10.0, TICK).lane == "live"
    finish(lanes, lanes.turn(10.0, TICK), 1100, 1100, now=10.0)
    assert lanes.turn(10.0, TICK) == Turn("backfill", 110, 1000, BACKFILL_MAX_ROWS)


def test_history_takes_its_share_of_the_destinations_time() -> None:
    """A quarter: after a second of work it rests three."""
    lanes = after_an_outage(LanePolicy(live_first=True, backfill_share=0.25))
    finish(lanes, lanes.turn(0.0, TICK), 110, 1000, now=1.0, took=1.0)
    turn = lanes.turn(1.0, 10.0)
    assert (turn.lane, turn.wait_s) == ("live", 3.0)
    finish(lanes, turn, 1000, 1000, now=3.9)
    assert lanes.turn(3.9, TICK).lane == "live"
    assert lanes.turn(4.0, TICK).lane == "backfill"


@pytest.mark.parametrize(
    ("rows", "took", "next_rows"),
    [(50_000, 25.0, BACKFILL_MIN_ROWS), (50_000, 2.0, 12_500), (5_000, 0.01, BACKFILL_MAX_ROWS)],
)
def test_a_piece_of_history_is_what_the_destination_takes_in_half_a_second(
    rows: int, took: float, next_rows: int
) -> None:
    """What arrives meanwhile has to wait behind it."""
    lanes = after_an_outage()
    finish(lanes, lanes.turn(0.0, TICK), 110, 1000, rows=rows, took=took)
    finish(lanes, lanes.turn(99.0, TICK), 1000, 1000, now=99.0, rows=1, took=0.2)
    turn = lanes.turn(99.0, TICK)
    assert (turn.lane, turn.max_rows) == ("backfill", next_rows)


def test_history_keeps_to_its_rate() -> None:
    """100 readings a second: 300 at once are followed by three seconds of rest."""
    policy = LanePolicy(live_first=True, backfill_readings_per_s=100, backfill_share=1.0)
    lanes = after_an_outage(policy)
    turn = lanes.turn(0.0, TICK)
    assert turn.max_rows == 100
    finish(lanes, turn, 110, 1000, rows=300)
    finish(lanes, lanes.turn(0.0, TICK), 1000, 1000)
    assert lanes.turn(1.9, TICK).lane == "live"
    assert lanes.turn(2.1, TICK).lane == "backfill"


def test_the_whole_sink_keeps_to_its_rate_and_live_goes_first() -> None:
    """While it rests, nothing is read."""
    lanes = after_an_outage(LanePolicy(live_first=True, max_readings_per_s=100))
    finish(lanes, lanes.turn(0.0, TICK), 110, 1000, rows=150)
    turn = lanes.turn(0.0, TICK)
    assert turn.rest_s == pytest.approx(0.51)
    assert lanes.turn(0.6, TICK).lane == "live"


def test_history_that_is_done_frees_the_journal_up_to_the_live_lane() -> None:
    """And the stored lanes are deleted with it."""
    lanes = after_an_outage()
    stored = lanes.state(0.0)[STATE_KEY]
    assert stored is not None
    finish(lanes, lanes.turn(0.0, TICK), 1000, 1000)
    assert lanes.cursor == 1000
    assert lanes.state(0.0) == {STATE_KEY: None}
    assert lanes.state(99.0) == {}


def test_a_restart_goes_on_in_both_lanes() -> None:
    """Cursor and state come from one transaction."""
    lanes = after_an_outage()
    finish(lanes, lanes.turn(0.0, TICK), 110, 1000)
    finish(lanes, lanes.turn(0.0, TICK), 1020, 1020)
    again = Lanes(LIVE_FIRST, lanes.cursor, lanes.state(5.0)[STATE_KEY])
    assert (again.cursor, again.live, again.backlog) == (110, 1020, 890)


def test_older_lanes_beside_a_newer_cursor_repeat_and_lose_nothing() -> None:
    """A cursor moves without an fsync of its own; the lanes beside it may be a second old."""
    lanes = after_an_outage()
    old = lanes.state(0.0)[STATE_KEY]
    again = Lanes(LIVE_FIRST, 400, old)
    assert (again.cursor, again.live, again.backlog) == (400, 1000, 600)
    past = Lanes(LIVE_FIRST, 1500, old)
    assert (past.cursor, past.live, past.backlog) == (1500, 1500, 0)


def test_mere_progress_is_stored_once_a_second_and_a_new_range_at_once() -> None:
    """Each time costs an fsync."""
    lanes = after_an_outage()
    assert lanes.state(0.0)
    finish(lanes, lanes.turn(0.0, TICK), 110, 1000)
    assert lanes.state(0.5) == {}
    assert lanes.state(0.5, at_once=True)
    finish(lanes, lanes.turn(0.5, TICK), 1010, 2000)
    assert late(lanes, 2000, now=0.5)
    assert lanes.state(0.6)


def test_a_second_outage_opens_a_second_range_and_a_longer_one_grows() -> None:
    """Oldest first."""
    lanes = after_an_outage()
    finish(lanes, lanes.turn(0.0, TICK), 110, 1000)
    assert late(lanes, 1200)
    assert lanes.backlog == 890 + 200
    finish(lanes, Turn("live", 1200, None, 1), 1210, 1300)
    assert late(lanes, 2000)
    assert lanes.backlog == 890 + 200 + 790
    turn = lanes.turn(0.0, TICK)
    assert (turn.after, turn.up_to) == (110, 1200)
    finish(lanes, turn, 1200, 2000)
    assert lanes.cursor == 1210


def test_with_the_table_of_ranges_full_the_live_lane_is_late_instead() -> None:
    """Nothing grows without a bound, and nothing is left out."""
    lanes = Lanes(LIVE_FIRST, 0)
    for number in range(LANES_MAX_RANGES):
        assert late(lanes, lanes.live + 100), number
        finish(lanes, Turn("live", lanes.live, None, 1), lanes.live + 1, lanes.live + 200)
    turn = Turn("live", lanes.live, None, 1)
    assert not lanes.jump(turn, lanes.live + 1, lanes.live + 2, lanes.live + 900, 3600.0)


def test_lanes_that_cannot_be_read_are_said() -> None:
    """Not guessed."""
    with pytest.raises(StorageCorrupt, match="lanes"):
        Lanes(LIVE_FIRST, 0, b"[")
