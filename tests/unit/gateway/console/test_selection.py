from __future__ import annotations

from gateway.console.selection import Selection, default_series
from headrace.limits.console import CONSOLE_MAX_DEVICES, CONSOLE_MAX_PANELS


def test_the_score_of_a_model_is_shown_first():
    """It sums the others up; those keep the order in which the device sent them."""
    offered = ["flow", "current", "voltage", "speed", "model/pump/score"]
    assert default_series(offered) == ["model/pump/score", "flow", "current", "voltage"]


def test_a_series_with_an_alert_is_shown_before_the_others():
    """It is what somebody came to see."""
    offered = ["flow", "current", "voltage", "speed", "vibration"]
    assert default_series(offered, {"vibration"})[:2] == ["vibration", "flow"]


def test_the_page_chooses_until_the_viewer_does():
    """A page on the wall follows the alert; one that somebody works with stands still."""
    selection = Selection()
    selection.follow("pump-1")
    selection.follow("pump-2")
    assert selection.devices == ["pump-2"]
    selection.only("pump-3")
    selection.follow("pump-1")
    assert selection.devices == ["pump-3"]


def test_series_that_the_next_device_has_as_well_stay():
    """Looking through pumps must not lose the series that one looks for."""
    selection = Selection()
    selection.only("pump-1")
    selection.show(["vibration", "current"])
    selection.settle(["flow", "vibration"])
    assert selection.series == ["vibration"]
    selection.settle(["cpu", "load"])
    assert selection.series == ["cpu", "load"]


def test_a_device_keeps_its_colour_while_others_come_and_go():
    """Colours are slots; the lowest free one goes to the next device."""
    selection = Selection()
    for name in ("a", "b", "c"):
        assert selection.toggle(name)
    assert selection.toggle("a")
    assert selection.toggle("d")
    assert [selection.slot(name) for name in ("a", "b", "c", "d")] == [None, 1, 2, 0]


def test_devices_and_series_on_the_chart_are_bounded():
    """The one that does not fit is refused, and nothing changes."""
    selection = Selection()
    for number in range(CONSOLE_MAX_DEVICES):
        assert selection.toggle(f"d{number}")
    assert not selection.toggle("one more")
    assert len(selection.devices) == CONSOLE_MAX_DEVICES
    selection.show([f"s{number}" for number in range(20)])
    assert len(selection.series) == CONSOLE_MAX_PANELS
