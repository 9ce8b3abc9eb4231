"""Two clients under one id, told from one on a poor line."""

from __future__ import annotations

from gateway.broker.takeovers import Takeovers
from gateway.clashes import Clash
from gateway.live import Live
from headrace.limits.broker import CLASH_MAX_IDS, CLASH_TAKEOVERS, CLASH_WITHIN_S
from headrace.wire import DeviceState


def test_a_client_that_comes_back_now_and_then_clashes_with_nobody() -> None:
    """A line that breaks once in a keep-alive."""
    found = Takeovers()
    for minute in range(60):
        found.note("pump-1", "10.0.0.1", minute * 60.0)
    assert found.clashes(3_600.0) == []


def test_takeovers_one_after_the_other_are_two_clients() -> None:
    """With the addresses of both; when they have stopped it is forgotten."""
    found = Takeovers()
    for second in range(CLASH_TAKEOVERS):
        found.note("pump-1", f"10.0.0.{second % 2}", float(second))
    clash = Clash("client id", "pump-1", CLASH_TAKEOVERS, ("10.0.0.0", "10.0.0.1"))
    assert found.clashes(5.0) == [clash]
    assert found.clashes(CLASH_WITHIN_S + 10) == []


def test_ids_are_remembered_up_to_a_bound() -> None:
    """The one that was taken over least lately goes first."""
    found = Takeovers()
    for number in range(CLASH_MAX_IDS + 1):
        for _ in range(CLASH_TAKEOVERS):
            found.note(f"c{number}", "10.0.0.1", 0.0)
    names = [each.name for each in found.clashes(0.0)]
    assert (len(names), names[0]) == (CLASH_MAX_IDS, "c1")


def test_a_boot_id_that_comes_back_is_another_machine() -> None:
    """A copied SD card: each start has an id of its own, and two machines say theirs in turns."""
    live = Live()
    for boot in ("a", "b", "c", "c", "d"):
        live.set_state("restarts", DeviceState(online=True, boot=boot))
    for boot in ("a", "b", "a", "b"):
        live.set_state("copied", DeviceState(online=True, boot=boot))
    live.set_state("says-none", DeviceState(online=True))
    assert live.clashes() == [Clash("device id", "copied", 2)]
