"""What a trace may follow of a landing; off unless somebody asks, and then this is all there is.

    landing ─┬─ encode
             ├─ upload
             ├─ manifest        and the cursor
             └─ registration    later, and maybe of many landings: a link to each of the others

A landing is part of the trace in which the first of its batches came to the gateway, and linked to the traces of
the others: device, journal, sinks and lake are one picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Final

_NOTHING: Final = nullcontext()


class Trace:
    """Follows nothing."""

    def step(self, name: str, first: int, last: int) -> AbstractContextManager[None]:
        """A part of the landing of a range of offsets; the first begins it. From any thread."""
        return _NOTHING

    def landed(self, first: int, last: int, manifest: str, readings: int) -> AbstractContextManager[None]:  # fmt: skip
        """Its last part: with the block the landing ends."""
        return _NOTHING

    def registration(self, manifests: Sequence[str]) -> AbstractContextManager[None]:
        """The commit of landings, by the paths of their manifests."""
        return _NOTHING


OFF: Final = Trace()
