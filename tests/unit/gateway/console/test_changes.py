"""What is pushed to a browser, without one."""

from __future__ import annotations

from gateway.console.chart import window_end, window_start
from gateway.console.table import Row, changes

S = 1_000_000
NOW = 1_750_000_000 * S


def test_nothing_is_sent_when_nothing_changed():
    """A page that stands still costs no traffic."""
    rows = [Row("a", ["1"]), Row("b", ["2"])]
    assert changes(rows, list(rows)) is None


def test_only_rows_that_changed_are_sent():
    """The order is left out while it is the same."""
    before = [Row("a", ["1"]), Row("b", ["2"])]
    after = [Row("a", ["1"]), Row("b", ["3"])]
    assert changes(before, after) == {"rows": {"b": {"cells": ["3"], "chosen": False}}}


def test_a_row_that_comes_or_goes_changes_the_order():
    """Rows that the browser knows are not sent again."""
    before = [Row("a", ["1"]), Row("b", ["2"])]
    assert changes(before, [Row("b", ["2"])]) == {"order": ["b"], "rows": {}}
    assert changes([], before[:1]) == {"order": ["a"], "rows": {"a": {"cells": ["1"], "chosen": False}}}  # fmt: skip


def test_the_time_axis_ends_now_unless_the_readings_are_of_another_time():
    """A replayed recording and a wrong clock are shown where their readings are."""
    assert window_end(NOW, NOW - 2 * S) == NOW
    assert window_end(NOW, 0) == NOW
    assert window_end(NOW, NOW - 86_400 * S) == NOW - 86_400 * S
    assert window_end(NOW, NOW + 3_600 * S) == NOW + 3_600 * S


def test_the_time_axis_is_as_long_as_there_is_something_to_show():
    """Between one minute and five."""
    assert window_start(NOW, []) == NOW - 60 * S
    assert window_start(NOW, [NOW - 10 * S]) == NOW - 60 * S
    assert window_start(NOW, [NOW - 10 * S, NOW - 90 * S]) == NOW - 90 * S
    assert window_start(NOW, [NOW - 900 * S]) == NOW - 300 * S
