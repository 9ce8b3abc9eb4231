"""One line of what the doctor says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

Level = Literal["OK", "WARN", "FAIL"]


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """WARN works and will not for long, or not as promised; FAIL does not work. ``todo`` says what to do."""

    level: Level
    check: str
    text: str
    todo: str = ""


def ok(check: str, text: str) -> Finding:
    """Nothing to do."""
    return Finding("OK", check, text)


def warn(check: str, text: str, todo: str) -> Finding:
    """It works, and should be seen to."""
    return Finding("WARN", check, text, todo)


def fail(check: str, text: str, todo: str) -> Finding:
    """It does not work."""
    return Finding("FAIL", check, text, todo)


def lines(findings: Sequence[Finding]) -> list[str]:
    """For people: what to do stands below what it is about."""
    shown = []
    for each in findings:
        shown.append(f"{each.level:<5} {each.check:<12} {each.text}")
        shown += [f"      {'':<12} -> {each.todo}"] if each.todo else []
    return shown
