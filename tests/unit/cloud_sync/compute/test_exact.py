"""Sums that are the same in any order: parts on grids, and how far they reach."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_sync.compute.exact import parts

SENSORS = st.one_of(
    st.floats(min_value=1e-11, max_value=1e18),
    st.floats(min_value=-1e18, max_value=-1e-11),
    st.just(0.0),
)


def total_of(values: list[float]) -> float:
    """Sums of the parts in the order of the list, and the sums from the largest grid on."""
    sums = [0.0] * len(list(parts(0.0)))
    for value in values:
        for at, part in enumerate(parts(value)):
            sums[at] += part
    found = 0.0
    for each in sums:
        found += each
    return found


@given(SENSORS)
def test_the_parts_of_a_value_are_the_value(value: float) -> None:
    """Exactly, and nothing is left behind the finest grid."""
    *found, rest = parts(value)
    assert sum(map(Fraction, found)) == Fraction(value)
    assert rest == 0.0


@given(st.lists(SENSORS, max_size=50), st.randoms())
def test_the_order_does_not_matter(values: list[float], chance: random.Random) -> None:
    """To the last bit."""
    expected = total_of(values)
    chance.shuffle(values)
    assert total_of(values).hex() == expected.hex()


def test_plain_addition_depends_on_the_order() -> None:
    """Or none of this would be needed."""
    values = np.random.default_rng(1).normal(20, 3, 1_000)
    assert sum(values.tolist()) != sum(sorted(values.tolist()))
    assert total_of(values.tolist()) == total_of(sorted(values.tolist()))


def test_the_sum_is_as_good_as_the_best() -> None:
    """Within a last place or two of the true sum."""
    values = np.random.default_rng(2).normal(20, 3, 10_000).tolist()
    assert math.isclose(total_of(values), math.fsum(values), rel_tol=4e-16)


@pytest.mark.parametrize("value", [1e300, -5e-324, 1e-30, 1.5e19])
def test_beyond_the_grids_it_is_as_accurate_as_plain_addition(value: float) -> None:
    """No value is lost, however large or small."""
    assert total_of([value]) == value
    assert math.isclose(total_of([value, value, 2 * value]), 4 * value, rel_tol=1e-15)
