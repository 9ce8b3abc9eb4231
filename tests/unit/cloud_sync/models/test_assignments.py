"""Which version is wanted where."""

from __future__ import annotations

import pytest

from headrace.errors import ModelError, UsageError
from headrace.models.repository import (
    Assignments,
    Promotion,
    Revocation,
    check_selector,
    decode_assignments,
    encode,
)

NORTH = {"site": "north", "ring": "canary"}
SOUTH = {"site": "south"}


def assigned(*promotions: tuple[int, str], revoked: tuple[int, ...] = ()) -> Assignments:
    return Assignments(
        promotions=tuple(Promotion(model="m", version=each, to=to) for each, to in promotions),
        revoked=tuple(Revocation(model="m", version=each) for each in revoked),
    )


@pytest.mark.parametrize(
    ("promotions", "revoked", "north", "south"),
    [
        ([(1, "all")], (), 1, 1),
        ([(1, "all"), (2, "canary")], (), 2, 1),
        ([(1, "all"), (2, "canary")], (2,), 1, 1),
        ([(1, "all"), (2, "canary"), (2, "all")], (), 2, 2),
        ([(1, "all"), (2, "canary"), (3, "all")], (), 3, 3),
        ([(1, "all"), (2, "all"), (1, "all")], (), 1, 1),
        ([(1, "all"), (2, "site=south")], (), 1, 2),
        ([(1, "all"), (2, "all"), (3, "canary")], (2, 3), 1, 1),
        ([(1, "canary")], (), 1, None),
        ([(1, "all")], (1,), None, None),
        ([], (), None, None),
    ],
)
def test_the_last_promotion_that_fits_and_is_not_revoked_decides(
    promotions: list[tuple[int, str]],
    revoked: tuple[int, ...],
    north: int | None,
    south: int | None,
) -> None:
    """A promotion to all ends a canary, and a revocation gives back what was there before."""
    assignments = assigned(*promotions, revoked=revoked)
    assert (assignments.wanted(NORTH).get("m"), assignments.wanted(SOUTH).get("m")) == (
        north,
        south,
    )


def test_models_are_assigned_independently() -> None:
    """A place may run several."""
    both = Assignments(
        promotions=(
            Promotion(model="pump", version=4, to="all"),
            Promotion(model="press", version=2, to="device=press-1"),
        )
    )
    assert both.wanted({"device": "press-1"}) == {"pump": 4, "press": 2}
    assert both.wanted({"device": "press-2"}) == {"pump": 4}


def test_assignments_survive_their_file() -> None:
    """What is written is what is read."""
    assignments = assigned((1, "all"), (2, "site=north"), revoked=(2,))
    assert decode_assignments(encode(assignments), "x") == assignments


@pytest.mark.parametrize(
    "data", [b"", b"[]", b'{"promotions": [{"model": "../x", "version": 1, "to": "all"}]}',
             b'{"promotions": [{"model": "m", "version": 1, "to": "everywhere"}]}', b'{"format": 2}'],
)  # fmt: skip
def test_what_is_not_an_assignments_file_is_refused(data: bytes) -> None:
    """Also a later format, which says more than is understood here."""
    with pytest.raises(ModelError):
        decode_assignments(data, "x")


@pytest.mark.parametrize("text", ["", "everything", "=north", "site=", "a b=c"])
def test_a_selector_that_is_none_says_what_there_is(text: str) -> None:
    """At the command, not at the sites."""
    with pytest.raises(UsageError, match="all, canary or label=value"):
        check_selector(text)
