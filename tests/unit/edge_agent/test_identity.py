"""Boot id and clock state of this machine."""

from __future__ import annotations

import uuid

import pytest

from edge_agent import identity
from edge_agent.identity import ClockWatch, boot_id, read_clock_state
from headrace.clock import ManualClock


def test_the_boot_id_is_the_kernels() -> None:
    """A random UUID that changes with each boot."""
    assert str(uuid.UUID(boot_id())) == boot_id()


def test_a_machine_without_a_boot_id_has_none(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:  # type: ignore[no-untyped-def]
    """Not every kernel offers it; readings are sent all the same."""
    monkeypatch.setattr(identity, "BOOT_ID", tmp_path / "none")
    assert boot_id() == ""


def test_the_clock_state_is_one_of_two() -> None:
    """Whatever this machine is, asking does not fail."""
    assert read_clock_state() in ("synced", "unsynced")


def test_the_kernel_is_not_asked_for_every_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once in ten seconds is enough."""
    asked = []
    monkeypatch.setattr(identity, "read_clock_state", lambda: asked.append(1) or "synced")
    clock = ManualClock()
    watch = ClockWatch(clock)
    for _ in range(25):
        assert watch.state() == "synced"
        clock.advance(1.0)
    assert len(asked) == 3
