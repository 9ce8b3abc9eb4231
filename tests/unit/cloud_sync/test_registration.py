"""Registration as timelines: manifests appear, the watermark moves, holes hold up one journal only."""

from __future__ import annotations

from cloud_sync.lake.registration import Held, Plan, new_marks, plan
from headrace.landing import Manifest, ManifestName, watermark_key

SITE, JOURNAL, OTHER = "north", "a" * 16, "b" * 16


def manifest(first: int, last: int, *, site: str = SITE, journal: str = JOURNAL) -> ManifestName:
    path = Manifest(site, journal, first, last, 0, ()).path
    return ManifestName(site, journal, first, last, path)


def marks(value: int, *, site: str = SITE, journal: str = JOURNAL) -> dict[str, int]:
    return {watermark_key(site, journal): value}


def test_nothing_landed_means_nothing_to_do() -> None:
    """No manifests, no plan."""
    assert plan([], {}, limit=10) == Plan((), ())


def test_manifests_are_taken_in_order_from_behind_the_watermark() -> None:
    """What is registered is skipped, what follows is taken, whatever order the store lists."""
    names = [manifest(21, 30), manifest(1, 10), manifest(11, 20)]
    assert plan(names, marks(10), limit=10).manifests == (manifest(11, 20), manifest(21, 30))


def test_a_new_journal_starts_at_its_first_offset() -> None:
    """Without a watermark the first manifest must start at 1."""
    assert plan([manifest(1, 5)], {}, limit=10).manifests == (manifest(1, 5),)
    assert plan([manifest(2, 5)], {}, limit=10).manifests == ()


def test_a_hole_is_never_skipped_and_is_named() -> None:
    """Behind a missing manifest nothing is registered; the report says which offsets are missing."""
    found = plan([manifest(1, 10), manifest(21, 30)], {}, limit=10)
    assert found.manifests == (manifest(1, 10),)
    assert found.held == (Held(SITE, JOURNAL, "no manifest for offsets 11-20", (11, 20)),)


def test_a_hole_that_fills_later_lets_registration_go_on() -> None:
    """The late manifest and those behind it are taken together."""
    late = [manifest(11, 20), manifest(21, 30)]
    assert plan(late, marks(10), limit=10) == Plan(tuple(late), ())


def test_a_hole_in_one_journal_does_not_hold_up_another() -> None:
    """Sites and journals are independent of each other."""
    names = [manifest(5, 10), manifest(1, 10, journal=OTHER), manifest(1, 3, site="south")]
    found = plan(names, {}, limit=10)
    assert found.manifests == (manifest(1, 10, journal=OTHER), manifest(1, 3, site="south"))
    assert [each.journal for each in found.held] == [JOURNAL]


def test_a_replaced_journal_starts_at_one_again_and_is_registered() -> None:
    """The watermark of the old journal says nothing about the new one."""
    found = plan([manifest(1, 4, journal=OTHER)], marks(100), limit=10)
    assert found.manifests == (manifest(1, 4, journal=OTHER),)


def test_an_overlap_with_what_is_registered_is_held() -> None:
    """Half of it may be in the table already: nobody can register the other half."""
    found = plan([manifest(5, 15)], marks(10), limit=10)
    assert found.manifests == ()
    assert "overlaps" in found.held[0].why


def test_two_manifests_that_start_alike_are_held_behind_the_first() -> None:
    """The same range landed twice with different ends cannot come from one journal."""
    found = plan([manifest(1, 10), manifest(1, 20)], {}, limit=10)
    assert found.manifests == (manifest(1, 10),)
    assert "overlaps" in found.held[0].why


def test_the_limit_cuts_the_plan_without_leaving_a_hole() -> None:
    """What is cut off follows in the next commit."""
    names = [manifest(at, at) for at in range(1, 8)]
    first = plan(names, {}, limit=3)
    assert first.manifests == tuple(names[:3])
    second = plan(names, new_marks(first.manifests), limit=3)
    assert second.manifests == tuple(names[3:6])


def test_a_blocked_journal_is_left_out() -> None:
    """A journal with a bad manifest waits, the others go on."""
    names = [manifest(1, 2), manifest(1, 2, journal=OTHER)]
    found = plan(names, {}, limit=10, blocked=frozenset({(SITE, JOURNAL)}))
    assert found.manifests == (manifest(1, 2, journal=OTHER),)


def test_the_new_watermark_is_the_last_offset_of_each_journal() -> None:
    """One key per site and journal."""
    names = [manifest(1, 2), manifest(3, 9), manifest(1, 4, journal=OTHER)]
    assert new_marks(names) == {**marks(9), **marks(4, journal=OTHER)}
