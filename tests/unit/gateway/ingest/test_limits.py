"""What one device may use."""

from __future__ import annotations

import pytest

from gateway.ingest.limits import DeviceLimits, Limits, LimitsConfig
from headrace.errors import PayloadError


def slow(**bounds: float) -> Limits:
    """100 readings and 1,000 bytes a second, a second's worth at once."""
    settings = {"readings_per_s": 100.0, "bytes_per_s": 1_000.0, "burst_s": 1.0, **bounds}
    return Limits(LimitsConfig(**settings))


def test_a_device_within_its_limit_is_never_held():
    """It may use what it has saved up, and what time brings."""
    limits = slow()
    assert not limits.charge("a", readings=100, size=0, now=0.0)
    assert not limits.charge("a", readings=50, size=0, now=0.5)
    assert limits.held == {}


def test_a_device_that_overdraws_waits_until_its_debt_is_paid():
    """300 readings at 100 a second with 100 saved: two seconds."""
    limits = slow()
    assert limits.charge("a", readings=300, size=0, now=10.0)
    assert limits.held == {"a": 12.0}
    limits.release(11.9)
    assert "a" in limits.held
    limits.release(12.0)
    assert limits.held == {}


def test_bytes_are_counted_beside_readings():
    """The worse of both decides."""
    limits = slow()
    limits.charge("a", readings=150, size=4_000, now=0.0)
    assert limits.held == {"a": 3.0}


def test_what_is_saved_up_ends_at_the_burst():
    """An hour of silence is not an hour of flood."""
    limits = slow()
    limits.charge("a", readings=1, size=0, now=0.0)
    assert limits.charge("a", readings=101, size=0, now=3_600.0)


def test_the_first_glob_that_matches_has_the_bounds():
    """What it does not name is the common bound."""
    config = LimitsConfig(
        readings_per_s=10.0,
        devices=(
            DeviceLimits(device="pump-7", readings_per_s=1.0),
            DeviceLimits(device="pump-*", max_series=3),
        ),
    )
    assert config.of("pump-7").readings_per_s == 1.0
    assert (config.of("pump-8").readings_per_s, config.of("pump-8").max_series) == (10.0, 3)
    assert config.of("motor").max_series == config.max_series


def test_series_beyond_the_bound_are_refused_and_none_of_them_is_noted():
    """Otherwise a batch that was refused would use up what is left."""
    limits = slow(max_series=3)
    limits.admit("a", ["x", "y"], 0.0)
    with pytest.raises(PayloadError) as caught:
        limits.admit("a", ["y", "z", "w"], 0.0)
    assert caught.value.reason == "over_limit"
    limits.admit("a", ["z", "x"], 0.0)
    limits.admit("b", ["x", "y", "z"], 0.0)


def test_a_change_forgives_debts_and_keeps_what_is_known_of_series():
    """A raised limit counts from now on."""
    limits = slow(max_series=2)
    limits.admit("a", ["x", "y"], 0.0)
    limits.charge("a", readings=10_000, size=0, now=0.0)
    limits.change(LimitsConfig(max_series=3))
    limits.release(0.1)
    assert limits.held == {}
    limits.admit("a", ["z"], 1.0)
    with pytest.raises(PayloadError):
        limits.admit("a", ["w"], 1.0)
