"""Which landed rows the journal still keeps: what the lake finds damaged is made again from them.

cloud_sync writes it (consumer state ``kept`` of "lake"), the gateway's retention reads it. Rows go when
they landed too long ago or when too many bytes landed since; and with half of the journal's budget in
use they go at once, because room for what has not landed comes first (docs/decisions/0022).

Pure: time is an argument. It is the wall clock; a clock that steps makes rows go sooner, or later by
the bound on bytes.
"""

from __future__ import annotations

from typing import Final

import msgspec

from headrace.journal.cursors import LAKE
from headrace.limits.lake import KEPT_STEP_BYTES, KEPT_STEP_S

#: Where it stands: the consumer, and the key of its state.
CONSUMER: Final = LAKE
KEY: Final = "kept"


class Step(msgspec.Struct, frozen=True, array_like=True):
    """Rows that landed at about the same time."""

    last: int
    bytes: int
    at_s: int


class Kept(msgspec.Struct, frozen=True):
    """Rows up to ``floor`` may go; ``steps`` are those behind it that have landed."""

    floor: int = 0
    steps: tuple[Step, ...] = ()

    def landed(self, last: int, size: int, *, now_s: int, keep_s: float, keep_bytes: int) -> Kept:
        """After a landing up to the offset ``last``, of ``size`` bytes in the journal."""
        steps = list(self.steps)
        newest = steps[-1] if steps else None
        if (
            newest is not None
            and newest.bytes + size <= KEPT_STEP_BYTES
            and 0 <= now_s - newest.at_s < KEPT_STEP_S
        ):
            steps[-1] = Step(last, newest.bytes + size, newest.at_s)
        else:
            steps.append(Step(last, size, now_s))
        floor, total = self.floor, sum(step.bytes for step in steps)
        while steps and (total > keep_bytes or now_s - steps[0].at_s > keep_s):
            gone = steps.pop(0)
            floor, total = gone.last, total - gone.bytes
        return Kept(floor, tuple(steps))


def encode(kept: Kept) -> bytes:
    """As it stands in the journal."""
    return msgspec.json.encode(kept)


def decode(payload: bytes | None) -> Kept:
    """From the journal; what is not there or cannot be read keeps nothing."""
    if payload is None:
        return Kept()
    try:
        return msgspec.json.decode(payload, type=Kept)
    except msgspec.MsgspecError:
        return Kept()
