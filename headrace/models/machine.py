"""What runs under one model name, and how a new version gets there (pure).

A site's or a device's models are **slots**, one a name. A slot has at most one candidate on its way,
one active version, and the versions that were good before it. A candidate goes through

::

    want ─► downloading ─► verified ─► checked ─► shadow ─► active ─► good
                 │             │           │         │         │       │
                 └─────────────┴─ rejected ┴─────────┘         └───────┴─► rolled_back, to the last good

    downloading   its files are fetched; only what the repository's signatures vouch for
    verified      they are on disk, whole, and the manifest suits this place
    checked       the runtime gives the scores that training gave (golden vectors)
    shadow        it scores live readings beside the active version; nobody sees its scores
    active        its scores count, and it is on probation: gates watch it still
    good          probation is over; from now on it is what others are rolled back to

What was rejected or rolled back is remembered and not tried again: a repository that
goes on offering it changes nothing, a new version of it does. ``started`` counts starts of the
program while a version is on trial, before that version is run: one that takes the program down
with it (or the power of the device) is given up at the third start, whatever it does.

Every step says what happened (``Slot.untold``) and keeps it until somebody has written it down.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal

from headrace.limits.edge_models import (
    MODELS_MAX_FALLBACKS,
    MODELS_MAX_ODD,
    MODELS_MAX_REFUSED,
    MODELS_MAX_UNTOLD,
)

Phase = Literal["downloading", "verified", "checked", "shadow"]
State = Literal[
    "downloading", "verified", "checked", "shadow", "active", "good", "rejected", "rolled_back"
]

#: The phases in their order; a candidate moves one at a time.
PHASES: Final[tuple[Phase, ...]] = ("downloading", "verified", "checked", "shadow")

#: Starts of the program that a version on trial may see; a power cut may happen twice by chance.
MAX_TRIAL_STARTS: Final = 2


@dataclass(frozen=True, slots=True)
class Refused:
    """A version that is not tried again, and why."""

    version: int
    reason: str
    at: int


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened; ``at`` in microseconds since 1970 UTC."""

    model: str
    version: int
    state: State
    reason: str
    at: int


@dataclass(frozen=True, slots=True)
class Slot:
    """One model name's state. ``since``: when the candidate's phase began; ``waiting``: for what.

    ``odd``: devices that the version on trial calls faulty more often than it may.
    """

    name: str
    candidate: int | None = None
    phase: Phase = "downloading"
    since: int = 0
    active: int | None = None
    active_since: int = 0
    proven: bool = True
    fallbacks: tuple[int, ...] = ()
    refused: tuple[Refused, ...] = ()
    trial_starts: int = 0
    waiting: str = ""
    odd: tuple[str, ...] = ()
    untold: tuple[Step, ...] = ()

    @property
    def on_trial(self) -> bool:
        """Whether something runs here that has not been good before."""
        return (self.candidate is not None and self.phase == "shadow") or (
            self.active is not None and not self.proven
        )

    @property
    def kept(self) -> tuple[int, ...]:
        """The versions whose files must stay on disk."""
        return tuple(
            version
            for version in (self.candidate, self.active, *self.fallbacks)
            if version is not None
        )

    def refusal(self, version: int) -> Refused | None:
        """Why a version is not wanted here any more; None when it may be tried."""
        return next((one for one in self.refused if one.version == version), None)


def want(slot: Slot, version: int, now: int) -> Slot:
    """The repository assigns a version to this place."""
    if version in (slot.active, slot.candidate) or slot.refusal(version):
        # What is active again is wanted no longer as something else.
        return _without_candidate(slot) if version == slot.active else slot
    slot = replace(slot, candidate=version, phase="downloading", since=now, waiting="", odd=())
    return _say(slot, version, "downloading", "", now)


def wait(slot: Slot, reason: str, now: int) -> Slot:
    """The candidate cannot go on yet; said once for each reason."""
    if slot.candidate is None or slot.waiting == reason:
        return slot
    return _say(replace(slot, waiting=reason), slot.candidate, slot.phase, reason, now)


def advance(slot: Slot, phase: Phase, now: int) -> Slot:
    """The candidate has reached the next phase."""
    if slot.candidate is None or PHASES.index(phase) != PHASES.index(slot.phase) + 1:
        raise ValueError(f"{slot.name}: {phase} does not follow {slot.phase}")
    version = slot.candidate
    return _say(
        replace(slot, phase=phase, since=now, waiting="", trial_starts=0), version, phase, "", now
    )


def promote(slot: Slot, reason: str, now: int) -> Slot:
    """The candidate takes over, on probation; a proven predecessor becomes what to fall back to."""
    if slot.candidate is None or slot.phase != "shadow":
        raise ValueError(f"{slot.name}: nothing is in shadow that could become active")
    version, fallbacks = slot.candidate, slot.fallbacks
    if slot.active is not None and slot.proven:
        fallbacks = (slot.active, *fallbacks)[:MODELS_MAX_FALLBACKS]
    promoted = replace(
        slot, candidate=None, phase="downloading", active=version, active_since=now,
        proven=False, fallbacks=fallbacks, trial_starts=0, odd=(),
    )  # fmt: skip
    return _say(promoted, version, "active", reason, now)


def note_odd(slot: Slot, version: int, device: str, reason: str, now: int) -> Slot:
    """A single device does not agree with the version on trial; said once, decides nothing."""
    if device in slot.odd or len(slot.odd) >= MODELS_MAX_ODD:
        return slot
    slot = replace(slot, odd=(*slot.odd, device))
    if version == slot.active:
        return _say(slot, version, "active", f"odd at {device}: {reason}", now)
    return _say(slot, version, slot.phase, f"odd at {device}: {reason}", now)


def prove(slot: Slot, now: int) -> Slot:
    """Probation is over."""
    if slot.active is None or slot.proven:
        return slot
    slot = replace(slot, proven=True, trial_starts=0)
    assert slot.active is not None  # noqa: S101  (looked at above; replace forgets it)
    return _say(slot, slot.active, "good", "", now)


def reject(slot: Slot, reason: str, now: int) -> Slot:
    """The candidate is given up for good; what is active goes on untouched."""
    if slot.candidate is None:
        return slot
    version = slot.candidate
    return _say(_refuse(_without_candidate(slot), version, reason, now), version, "rejected", reason, now)  # fmt: skip


def roll_back(slot: Slot, reason: str, now: int) -> Slot:
    """The active version is given up for good; the last good one takes over, if there is one."""
    if slot.active is None:
        return slot
    version = slot.active
    heir = slot.fallbacks[0] if slot.fallbacks else None
    slot = replace(
        slot, active=heir, active_since=now, proven=True, fallbacks=slot.fallbacks[1:],
        trial_starts=0, odd=(),
    )  # fmt: skip
    to = f"; version {heir} runs again" if heir is not None else "; no version is left to run"
    return _say(_refuse(slot, version, reason, now), version, "rolled_back", reason + to, now)


def step_back(slot: Slot, reason: str, now: int) -> Slot:
    """Somebody wants the version before: of the candidate if there is one, else of the active one."""
    return reject(slot, reason, now) if slot.candidate is not None else roll_back(slot, reason, now)


def withdraw(slot: Slot, revoked: Iterable[int], reason: str, now: int) -> Slot:
    """Releases that must not run anywhere any more, whatever they are here."""
    gone = set(revoked)
    slot = replace(slot, fallbacks=tuple(one for one in slot.fallbacks if one not in gone))
    if slot.candidate in gone:
        slot = reject(slot, reason, now)
    return roll_back(slot, reason, now) if slot.active in gone else slot


def forgive(slot: Slot, version: int) -> Slot:
    """Somebody says that a refused version may be tried again."""
    return replace(slot, refused=tuple(one for one in slot.refused if one.version != version))


def started(slot: Slot, now: int) -> Slot:
    """The program starts. To be stored before the slot's versions are run."""
    if slot.candidate is not None and slot.phase != "shadow":
        # What was under way is done again from its beginning; all of it can be repeated.
        slot = replace(slot, phase="downloading", since=now)
    if not slot.on_trial:
        return replace(slot, trial_starts=0)
    slot = replace(slot, trial_starts=slot.trial_starts + 1, since=now)
    if slot.trial_starts <= MAX_TRIAL_STARTS:
        return slot
    reason = f"the program ended {slot.trial_starts - 1} times while this version was on trial"
    if slot.candidate is not None and slot.phase == "shadow":
        return reject(replace(slot, trial_starts=0), reason, now)
    return roll_back(slot, reason, now)


def stopped(slot: Slot) -> Slot:
    """The program ends because it was asked to: that counts against nobody."""
    return replace(slot, trial_starts=max(0, slot.trial_starts - 1))


def told(slot: Slot, steps: Iterable[Step]) -> Slot:
    """These steps have been written down."""
    done = set(steps)
    return replace(slot, untold=tuple(step for step in slot.untold if step not in done))


def _without_candidate(slot: Slot) -> Slot:
    return replace(slot, candidate=None, phase="downloading", waiting="", odd=())


def _refuse(slot: Slot, version: int, reason: str, now: int) -> Slot:
    refused = (*slot.refused, Refused(version, reason, now))[-MODELS_MAX_REFUSED:]
    return replace(slot, refused=refused)


def _say(slot: Slot, version: int, state: State, reason: str, now: int) -> Slot:
    step = Step(slot.name, version, state, reason, now)
    return replace(slot, untold=(*slot.untold, step)[-MODELS_MAX_UNTOLD:])
