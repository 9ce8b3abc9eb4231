"""RangeSet against a plain set of integers."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from headrace.ranges import RangeSet

spans = st.tuples(st.integers(1, 60), st.integers(0, 12)).map(lambda s: (s[0], s[0] + s[1]))
operations = st.lists(st.tuples(st.sampled_from(["add", "remove"]), spans), max_size=30)


def build(steps):
    ranges, plain = RangeSet(), set()
    for step, (first, last) in steps:
        getattr(ranges, step)(first, last)
        numbers = set(range(first, last + 1))
        plain = plain | numbers if step == "add" else plain - numbers
    return ranges, plain


def expand(pairs):
    return {number for first, last in pairs for number in range(first, last + 1)}


@given(operations)
def test_it_holds_what_a_set_holds(steps):
    """Adding and removing ranges is set arithmetic."""
    ranges, plain = build(steps)
    assert expand(ranges.pairs()) == plain
    assert ranges.count == len(plain)
    assert ranges.last == max(plain, default=0)


@given(operations)
def test_its_ranges_are_sorted_disjoint_and_never_touch(steps):
    """There is one way to write each set."""
    pairs = build(steps)[0].pairs()
    assert all(first <= last for first, last in pairs)
    assert all(a[1] + 1 < b[0] for a, b in pairwise(pairs))


@given(operations, spans)
def test_missing_is_what_is_not_there(steps, span):
    """``missing`` of a range and what is there make up the range."""
    ranges, plain = build(steps)
    assert expand(ranges.missing(*span)) == set(range(span[0], span[1] + 1)) - plain


@given(operations, spans)
def test_common_is_what_is_there(steps, span):
    """``common`` is the rest of what is missing."""
    ranges, plain = build(steps)
    assert expand(ranges.common(*span)) == set(range(span[0], span[1] + 1)) & plain


@given(operations)
def test_holes_lie_between_ranges(steps):
    """Holes and ranges together leave nothing out."""
    ranges, plain = build(steps)
    everything = set(range(1, max(plain, default=0) + 1))
    assert expand(ranges.holes_from(1)) == everything - plain
    assert expand(ranges.holes()) == {n for n in everything - plain if n > min(plain, default=0)}
