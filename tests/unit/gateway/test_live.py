"""The picture of the present: complete in its counts, sampled in its charts."""

from __future__ import annotations

import pyarrow as pa

from gateway.live import Live
from headrace.derived import ALERT_PREFIX
from tests.gateway_entries import SECOND, START, entry, rows, series


def test_a_burst_is_counted_whole_and_its_newest_values_are_shown() -> None:
    """What a device sends at once may be more than a chart can show."""
    live = Live()
    live.add_all([series("pump-1", "flow", [float(n)] * 5, start_s=5 * n) for n in range(100)])
    (row,) = live.devices()
    assert row["readings"] == 500
    assert live.points("pump-1", "flow")[-1][1] == 99.0


def test_a_quiet_device_is_seen_beside_a_busy_one() -> None:
    """Leaving out is for those who sent many."""
    live = Live()
    busy = [series("busy", "flow", [1.0], start_s=n) for n in range(100)]
    live.add_all([series("quiet", "level", [7.0]), *busy])
    assert [value for _, value in live.points("quiet", "level")] == [7.0]


def test_what_the_gateway_says_of_a_device_hides_none_of_its_values() -> None:
    """An alert comes right behind the reading that made it fire."""
    live = Live()
    made = [series("pump-1", f"gateway/{n}", [0.0], start_s=9) for n in range(5)]
    live.add_all([series("pump-1", "flow", [97.0], start_s=8), *made])
    assert [value for _, value in live.points("pump-1", "flow")] == [97.0]


def test_a_clock_is_judged_by_the_median_of_the_newest_batches() -> None:
    """One that came late, or with one wrong time, says nothing."""
    live = Live()
    for number in range(9):
        late = 40 if number % 4 == 0 else 0
        live.add(entry("fast", ahead_of_arrival(30 - late), received_at=START))
        live.add(entry("fine", ahead_of_arrival(1), received_at=START))
    assert live.clock_offsets() == {"fast": 30.0}
    assert [row["clock_offset"] for row in live.devices()] == [30_000_000, 1_000_000]


def ahead_of_arrival(seconds: int) -> pa.RecordBatch:
    return rows(["flow"], [START + seconds * SECOND], [1.0])


def test_the_more_series_there_are_the_fewer_points_of_each_are_kept(monkeypatch) -> None:
    """A site of a hundred thousand series must not fill the memory with charts that nobody looks at."""
    monkeypatch.setattr("gateway.live.present.LIVE_TOTAL_POINTS", 1_000)
    live = Live()
    for number in range(10):
        live.add(series("pump-1", f"s{number}", [float(n) for n in range(90)]))
    for number in range(10):
        live.add(series("pump-1", f"s{number}", [float(n) for n in range(90, 180)]))
    kept = live.points("pump-1", "s3")
    assert len(kept) <= 125
    assert [value for _, value in kept][-100:] == [float(n) for n in range(80, 180)]


def test_no_alert_is_left_out_of_a_burst() -> None:
    """However many batches came behind it."""
    live = Live()
    alert = '{"state":"firing","severity":"critical","series":"flow","started":1}'
    busy = [series("pump-1", "flow", [1.0], start_s=n) for n in range(100)]
    live.add_all([series("pump-1", ALERT_PREFIX + "hot", [alert]), *busy])
    assert [found["rule"] for found in live.alerts()] == ["hot"]
