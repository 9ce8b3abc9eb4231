"""What a landing is between two of its steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import pyarrow as pa

from headrace.journal.lost import Lost
from headrace.landing import Manifest, Seen
from headrace.limits.lake import KEEP_LANDED_BYTES, KEEP_LANDED_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Of one landing, and of what the journal keeps afterwards."""

    max_rows: int
    max_bytes: int
    keep_s: float = KEEP_LANDED_S
    keep_bytes: int = KEEP_LANDED_BYTES


class Plan(msgspec.Struct, frozen=True):
    """What lands next: journal offsets, inclusive, and the sha256 of its data files by their paths.

    ``attempt`` counts how often the names had to be new ones.
    """

    first: int
    last: int
    attempt: int = 0
    files: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Next:
    """What lands next, as readings; ``damaged``: what the journal could not give any more, ``seen``: what
    devices have numbered of it.

    ``lost``: what devices may still have of what is damaged. ``before``: the plan of an earlier start, which may have got anywhere. ``bytes``: in the journal.
    """

    first: int
    last: int
    table: pa.Table
    damaged: tuple[str, ...] = ()
    seen: tuple[Seen, ...] = ()
    bytes: int = 0
    before: Plan | None = None
    lost: tuple[Lost, ...] = ()


@dataclass(frozen=True, slots=True)
class Encoded:
    """A landing as objects, by their paths, and the manifest that names them."""

    plan: Plan
    manifest: Manifest
    objects: tuple[tuple[str, Any], ...]
    readings: int
    bytes: int
    lost: tuple[Lost, ...] = ()
