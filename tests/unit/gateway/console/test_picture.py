from __future__ import annotations

import pytest

from gateway.console.picture import Pictures, condition, make_picture
from gateway.live import Live
from headrace.clock import ManualClock
from headrace.limits.console import CONSOLE_SILENT_AFTER_S
from headrace.wire import DeviceState

NOW = ManualClock().now_us()
LONG_AGO = NOW - (CONSOLE_SILENT_AFTER_S + 1) * 1_000_000


@pytest.mark.parametrize(
    ("online", "last_received", "silence_fires", "expected"),
    [
        (True, NOW, False, "online"),
        (True, LONG_AGO, False, "silent"),
        (True, NOW, True, "silent"),
        (True, 0, False, "online"),
        (False, LONG_AGO, True, "offline"),
        (None, NOW, False, "unknown"),
        (None, LONG_AGO, False, "silent"),
    ],
)
def test_the_condition_of_a_device(online, last_received, silence_fires, expected):
    """Offline is what a device says of itself; silent is one that should be heard and is not."""
    found = condition(NOW, online=online, last_received=last_received, silence_fires=silence_fires)
    assert found == expected


def device(name, online=True):
    return {
        "device": name, "online": online, "last_received": NOW, "last_time": NOW, "readings": 1,
        "buffered": 0, "sampled": 1, "dropped": {}, "certificate": 0, "renewal": "",
    }  # fmt: skip


def alert(state, started, name="pump-1", series="vibration", severity="warning"):
    return {
        "state": state,
        "severity": severity,
        "started": started,
        "device": name,
        "rule": "r",
        "series": series,
    }


def test_firing_alerts_stand_first_and_those_that_never_fired_do_not_show():
    """Within a state the severe ones are first, and then the newest."""
    alerts = [alert("firing", 0, severity="critical"), alert("resolved", 9), alert("firing", 1), alert("inactive", 8), alert("pending", 5), alert("firing", 3)]  # fmt: skip
    picture = make_picture(NOW, [device("pump-1")], alerts)
    shown = [(one["state"], one["started"]) for one in picture.alerts]
    assert shown == [("firing", 0), ("firing", 3), ("firing", 1), ("pending", 5), ("resolved", 9)]
    assert picture.firing == 3


def test_a_firing_silence_makes_its_device_silent():
    """A silence alert is one without a series."""
    picture = make_picture(NOW, [device("a"), device("b")], [alert("firing", 1, "b", series="")])
    assert [row.condition for row in picture.devices] == ["online", "silent"]
    assert picture.counts == {"online": 1, "silent": 1}


def test_the_device_with_an_alert_is_looked_at_first():
    """Else one that is online, else the first by name."""
    devices = [device("a", online=False), device("b"), device("c")]
    assert make_picture(NOW, devices, [alert("firing", 1, "c")]).urgent == "c"
    assert make_picture(NOW, devices, []).urgent == "b"
    assert make_picture(NOW, [], []).urgent is None


def test_all_viewers_of_one_second_share_a_picture():
    """The work does not grow with the number of viewers."""
    clock, live = ManualClock(), Live()
    pictures = Pictures(live, clock)
    first = pictures.latest()
    live.set_state("pump-1", DeviceState(online=True))
    clock.advance(0.5)
    assert pictures.latest() is first
    clock.advance(0.5)
    assert [row.device for row in pictures.latest().devices] == ["pump-1"]


def test_a_device_that_lacks_readings_shows_how_many():
    """Gaps are counted by the journal's dedup, not by what passed by."""
    picture = make_picture(NOW, [device("a"), device("b")], [], {"b": 17})
    assert [(row.device, row.missing) for row in picture.devices] == [("a", 0), ("b", 17)]
