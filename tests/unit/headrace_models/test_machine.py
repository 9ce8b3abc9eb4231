from __future__ import annotations

import pytest

from headrace.models import machine
from headrace.models.machine import MAX_TRIAL_STARTS, Slot


def say(slot: Slot) -> list[tuple[int, str]]:
    return [(step.version, step.state) for step in slot.untold]


def in_shadow(slot: Slot, version: int) -> Slot:
    slot = machine.want(slot, version, 1)
    for phase in machine.PHASES[1:]:
        slot = machine.advance(slot, phase, 2)
    return slot


def running(version: int, slot: Slot | None = None) -> Slot:
    return machine.promote(in_shadow(slot or Slot("m"), version), "", 3)


def good(version: int, slot: Slot | None = None) -> Slot:
    return machine.prove(running(version, slot), 4)


def test_a_version_goes_through_every_phase_and_each_is_said() -> None:
    """From the repository to what others fall back to."""
    slot = good(1)
    states = ["downloading", "verified", "checked", "shadow", "active", "good"]
    assert say(slot) == [(1, state) for state in states]
    assert (slot.active, slot.proven, slot.candidate) == (1, True, None)


def test_no_phase_can_be_left_out() -> None:
    """What was not checked does not run in shadow."""
    slot = machine.want(Slot("m"), 1, 1)
    with pytest.raises(ValueError, match="does not follow"):
        machine.advance(slot, "checked", 2)
    with pytest.raises(ValueError, match="nothing is in shadow"):
        machine.promote(slot, "", 2)


def test_a_rejected_candidate_leaves_the_active_version_alone_and_is_not_tried_again() -> None:
    """The repository goes on offering it; a newer version is welcome."""
    slot = machine.reject(in_shadow(good(1), 2), "cries wolf", 5)
    assert (slot.active, slot.candidate, slot.refused[0].reason) == (1, None, "cries wolf")
    assert machine.want(slot, 2, 6) == slot
    assert machine.want(slot, 3, 6).candidate == 3


def test_a_version_that_goes_wrong_on_probation_gives_way_to_the_last_good_one() -> None:
    """And says which one runs again."""
    slot = machine.roll_back(running(2, good(1)), "NaN", 5)
    assert (slot.active, slot.proven, slot.fallbacks) == (1, True, ())
    assert slot.untold[-1].reason == "NaN; version 1 runs again"


def test_a_good_version_that_goes_wrong_gives_way_too() -> None:
    """Proven is not for ever."""
    slot = machine.roll_back(good(3, good(2, good(1))), "stalls", 5)
    assert (slot.active, slot.fallbacks) == (2, (1,))


def test_a_version_on_probation_is_never_what_others_fall_back_to() -> None:
    """Version 2 was never proven, so 3 falls back to 1."""
    slot = machine.roll_back(running(3, running(2, good(1))), "NaN", 5)
    assert slot.active == 1


def test_without_a_good_version_nothing_runs() -> None:
    """No scores are better than wrong ones."""
    slot = machine.roll_back(running(1), "NaN", 5)
    assert slot.active is None
    assert slot.untold[-1].reason.endswith("no version is left to run")


def test_a_version_in_shadow_that_ends_the_program_again_and_again_is_rejected() -> None:
    """Counted before it runs, so that a power cut counts too."""
    slot = in_shadow(good(1), 2)
    for _ in range(MAX_TRIAL_STARTS):
        slot = machine.started(slot, 6)
        assert slot.candidate == 2
    slot = machine.started(slot, 7)
    assert (slot.candidate, slot.active) == (None, 1)
    assert "ended 2 times" in slot.refused[0].reason


def test_a_version_on_probation_that_ends_the_program_again_and_again_is_rolled_back() -> None:
    """The last good one runs at the third start."""
    slot = running(2, good(1))
    for _ in range(MAX_TRIAL_STARTS + 1):
        slot = machine.started(slot, 6)
    assert (slot.active, slot.proven) == (1, True)


def test_stopping_the_program_on_purpose_counts_against_nobody() -> None:
    """An update of the operating system is no fault of a model."""
    slot = in_shadow(good(1), 2)
    for _ in range(10):
        slot = machine.stopped(machine.started(slot, 6))
    assert slot.candidate == 2


def test_a_good_version_may_see_any_number_of_starts() -> None:
    """Only what is on trial is counted."""
    slot = good(1)
    for _ in range(10):
        slot = machine.started(slot, 6)
    assert slot.active == 1


def test_a_download_that_was_cut_off_begins_again() -> None:
    """Whatever was verified or checked before the cut is done once more."""
    slot = machine.advance(machine.want(Slot("m"), 1, 1), "verified", 2)
    assert machine.started(slot, 3).phase == "downloading"


def test_a_revoked_version_stops_running_at_once() -> None:
    """Wherever it is: active, candidate or kept to fall back to."""
    slot = machine.withdraw(good(3, good(2, good(1))), [3, 2], "revoked", 5)
    assert (slot.active, slot.fallbacks) == (1, ())
    assert machine.withdraw(in_shadow(good(1), 2), [2], "revoked", 5).candidate is None


def test_rolling_back_by_hand_gives_up_the_candidate_first() -> None:
    """Then, if asked again, the active version."""
    slot = machine.step_back(in_shadow(good(2, good(1)), 3), "asked for", 5)
    assert (slot.active, slot.candidate) == (2, None)
    assert machine.step_back(slot, "asked for", 6).active == 1


def test_a_refused_version_may_be_forgiven() -> None:
    """When somebody says that it was the site, not the model."""
    slot = machine.reject(in_shadow(good(1), 2), "no inputs", 5)
    assert machine.want(machine.forgive(slot, 2), 2, 6).candidate == 2


def test_a_candidate_is_dropped_when_the_active_version_is_wanted_again() -> None:
    """The publisher has changed his mind."""
    assert machine.want(in_shadow(good(1), 2), 1, 5).candidate is None


def test_what_a_candidate_waits_for_is_said_once() -> None:
    """Not once a second."""
    slot = machine.want(Slot("m"), 1, 1)
    slot = machine.wait(machine.wait(slot, "no flow", 2), "no flow", 3)
    assert len(slot.untold) == 2


def test_steps_are_kept_until_they_are_written_down() -> None:
    """By whoever wrote exactly these."""
    slot = running(1)
    first = slot.untold[:2]
    assert machine.told(slot, first).untold == slot.untold[2:]
