from __future__ import annotations

import pytest

from gateway.console import format as fmt

S = fmt.SECOND_US
NOW = 1_750_000_000 * S


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0.0 s"), (0.4, "0.4 s"), (9.94, "9.9 s"), (9.96, "9 s"), (59.9, "59 s"), (60, "1 min"),
        (3_599, "59 min"), (3_600, "1 h"), (86_399, "23 h"), (86_400, "1 d"), (-3, "−3.0 s"),
    ],
)  # fmt: skip
def test_a_span_has_one_unit(seconds, expected):
    """Lengths of time are short enough to stand in a column, and a clock that is ahead shows."""
    assert fmt.span(round(seconds * S)) == expected


@pytest.mark.parametrize(
    ("seconds_ago", "expected"),
    [
        (0.2, "now"), (1, "1 s ago"), (3.9, "3 s ago"), (10, "10 s ago"), (75, "1 min ago"),
        (86_400 * 2, "2 d ago"), (-0.5, "now"), (-7_200, "in 2 h"),
    ],
)  # fmt: skip
def test_an_age_is_said_in_words(seconds_ago, expected):
    """Last seen is an age, whole seconds, never negative."""
    assert fmt.ago(NOW, NOW - round(seconds_ago * S)) == expected


def test_what_never_happened_has_no_age():
    """A device without a reading shows a dash, not fifty years."""
    assert fmt.ago(NOW, 0) == fmt.lag(NOW, 0) == fmt.NOTHING


@pytest.mark.parametrize(
    ("amount", "unit", "expected"),
    [
        (21.5, "Cel", "21.5 °C"), (152_300.0, "Pa", "152.3 kPa"), (9_999.0, "Pa", "9,999 Pa"),
        (3.1e9, "B", "3.1 GB"), (2_900.4, "1/min", "2,900 1/min"), (0.25, "/", "0.25"),
        (0.00012, "m/s2", "0.00012 m/s²"), (1e-9, "", "1.000e-09"), (None, "A", "–"),
        (float("inf"), "A", "inf A"), (-12_345.0, "W", "-12.35 kW"),
    ],
)  # fmt: skip
def test_a_value_is_printed_with_its_unit(amount, unit, expected):
    """Four significant digits; SenML symbols become what people write."""
    assert fmt.value(amount, unit) == expected


def test_counts_have_thousands_separators():
    """Counts that are not known are a dash: unlike zero."""
    assert (fmt.count(12_345), fmt.count(0), fmt.count(None)) == ("12,345", "0", "–")


@pytest.mark.parametrize(
    ("days", "text", "tone"),
    [(None, "–", "quiet"), (84, "84 d", "quiet"), (29, "29 d", "warn"), (6, "6 d", "bad"), (-1, "ended", "bad")],
)  # fmt: skip
def test_a_certificate_that_nears_its_end_is_told_by_its_colour(days, text, tone):
    """And one that has none says nothing."""
    now = 1_790_000_000_000_000
    end = 0 if days is None else now + days * 86_400_000_000
    assert (fmt.left(now, end), fmt.left_tone(now, end)) == (text, tone)
