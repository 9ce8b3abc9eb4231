"""What the journal keeps of what has landed."""

from __future__ import annotations

from headrace.journal import kept
from headrace.journal.kept import Kept, Step
from headrace.limits.lake import KEPT_STEP_BYTES, KEPT_STEP_S


def after(landings: list[tuple[int, int, int]], *, keep_s: float, keep_bytes: int) -> Kept:
    found = Kept()
    for last, size, now_s in landings:
        found = found.landed(last, size, now_s=now_s, keep_s=keep_s, keep_bytes=keep_bytes)
    return found


def test_landings_of_a_while_are_one_step() -> None:
    """So that what is written down stays small."""
    found = after([(1, 10, 0), (2, 10, 60), (3, 10, KEPT_STEP_S)], keep_s=10_000, keep_bytes=10**9)
    assert found == Kept(0, (Step(2, 20, 0), Step(3, 10, KEPT_STEP_S)))


def test_rows_go_when_they_are_old_or_too_many() -> None:
    """Whichever comes first; with nothing to keep they go at once."""
    old = after([(1, 10, 0), (2, 10, 5_000)], keep_s=4_000, keep_bytes=10**9)
    assert (old.floor, old.steps) == (1, (Step(2, 10, 5_000),))
    size = KEPT_STEP_BYTES
    many = after([(at, size, at) for at in range(1, 6)], keep_s=10_000, keep_bytes=2 * size)
    assert (many.floor, [step.last for step in many.steps]) == (3, [4, 5])
    assert after([(7, 10, 0)], keep_s=10_000, keep_bytes=0) == Kept(7)


def test_a_clock_that_was_set_back_makes_a_new_step() -> None:
    """And the bound on bytes still holds."""
    found = after([(1, 10, 5_000), (2, 10, 10)], keep_s=4_000, keep_bytes=15)
    assert found == Kept(1, (Step(2, 10, 10),))


def test_it_reads_what_it_writes_and_nothing_keeps_nothing() -> None:
    """A state that cannot be read holds no rows."""
    found = after([(1, 10, 0)], keep_s=10, keep_bytes=100)
    assert kept.decode(kept.encode(found)) == found
    assert kept.decode(None) == kept.decode(b"no json") == Kept()
