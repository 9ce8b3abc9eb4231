"""What waits to be sent, and when it is tried again.

All alerts of one step that go to one target become one notification: a site where forty things break
at once sends one mail, not forty. Notes wait per target, each target at most ``NOTIFY_MAX_WAITING``;
a note is tried ``NOTIFY_MAX_ATTEMPTS`` times with growing pauses, then given up, counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from gateway.notify.config import NotifyConfig
from headrace.derived import Alert, Severity
from headrace.limits.agent import RETRY_FIRST_S, RETRY_MAX_S
from headrace.limits.consumers import NOTIFY_MAX_ATTEMPTS, NOTIFY_MAX_LINES, NOTIFY_MAX_WAITING

_RANK: Final[Mapping[Severity, int]] = {"info": 0, "warning": 1, "critical": 2}


@dataclass(frozen=True, slots=True)
class Heard:
    """An alert transition as it was read from the journal."""

    rule: str
    device: str
    alert: Alert


class Note(msgspec.Struct, frozen=True, array_like=True):
    """One notification to one target; ``due`` is when it may be tried next."""

    target: str
    offset: int
    kind: str
    title: str
    body: str
    attempts: int = 0
    due: int = 0

    @property
    def key(self) -> str:
        """Sorts by age within a target."""
        return f"note:{self.target}:{self.offset:020d}"


def wanted(target: NotifyConfig, heard: Iterable[Heard]) -> list[Heard]:
    """The alerts that go to a target."""
    return [
        one
        for one in heard
        if one.alert.state in target.states and one.alert.severity in target.severities
    ]


def compose(
    target: str, site: str, heard: Sequence[Heard], *, offset: int, now_us: int
) -> Note | None:
    """One note for all alerts; None where there is none."""
    if not heard:
        return None
    firing = [one for one in heard if one.alert.state == "firing"]
    worst = max((one.alert.severity for one in firing or heard), key=_RANK.__getitem__)
    lines = [_line(one) for one in heard[:NOTIFY_MAX_LINES]]
    if len(heard) > NOTIFY_MAX_LINES:
        lines.append(f"… and {len(heard) - NOTIFY_MAX_LINES} more")
    kind = worst if firing else "resolved"
    return Note(target, offset, kind, _title(site, heard, kind), "\n".join(lines), due=now_us)


def _title(site: str, heard: Sequence[Heard], kind: str) -> str:
    if len(heard) == 1:
        return f"[{site}] {kind}: {heard[0].rule} on {heard[0].device}"
    return f"[{site}] {kind}: {len(heard)} alerts"


def _line(one: Heard) -> str:
    text = one.alert.summary or one.alert.series
    return f"{one.alert.state} ({one.alert.severity}) {one.rule} on {one.device}: {text}"


def failed(note: Note, now_us: int) -> Note | None:
    """The note after a failed attempt; None when it is given up."""
    attempts = note.attempts + 1
    if attempts >= NOTIFY_MAX_ATTEMPTS:
        return None
    pause_s = min(RETRY_FIRST_S * 2.0**note.attempts, RETRY_MAX_S)
    return msgspec.structs.replace(note, attempts=attempts, due=now_us + round(pause_s * 1_000_000))


def next_due(notes: Iterable[Note], now_us: int) -> list[Note]:
    """At most one note per target: its oldest, if that one may be tried now.

    So notes of a target stay in order, and nobody gets more than one a step.
    """
    oldest: dict[str, Note] = {}
    for note in sorted(notes, key=lambda note: note.key):
        oldest.setdefault(note.target, note)
    # A clock that was set back must not hold a note up for longer than the longest pause.
    latest = now_us + round(RETRY_MAX_S * 1_000_000)
    return [note for note in oldest.values() if note.due <= now_us or note.due > latest]


def surplus(notes: Iterable[Note], target: str) -> list[Note]:
    """The oldest notes of a target that no longer fit."""
    waiting = sorted((note for note in notes if note.target == target), key=lambda note: note.key)
    return waiting[: max(len(waiting) - NOTIFY_MAX_WAITING, 0)]
