"""Which manifests to register next: pure, from the manifests that exist and the table's watermarks.

The manifests of one journal follow each other without holes. So per (site, journal) the next one is
the one that starts behind the watermark; anything else means that something is missing or overlaps,
and that journal waits, visibly, while the others go on. A hole is never skipped: the watermark would
pass readings that may still come.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby

from headrace.landing import ManifestName, watermark_key


@dataclass(frozen=True, slots=True, order=True)
class Held:
    """A journal that cannot be registered further, and why."""

    site: str
    journal: str
    why: str
    hole: tuple[int, int] | None = None  # offsets, inclusive, of which there is no manifest

    def __str__(self) -> str:
        return f"site {self.site}, journal {self.journal}: {self.why}"


@dataclass(frozen=True, slots=True)
class Plan:
    """Manifests to register in one commit, in order, and what is held up."""

    manifests: tuple[ManifestName, ...]
    held: tuple[Held, ...]


def plan(
    names: Iterable[ManifestName],
    marks: Mapping[str, int],
    *,
    limit: int,
    blocked: frozenset[tuple[str, str]] = frozenset(),
    journals: int | None = None,
) -> Plan:
    """Decide.

    Args:
        names: manifests that exist; those at or below their watermark are ignored.
        marks: watermarks by property key.
        limit: manifests in one commit.
        blocked: (site, journal) that are left out, because a manifest of theirs is bad.
        journals: of so many at most in one commit.
    """
    chosen: list[ManifestName] = []
    held: list[Held] = []
    for (site, journal), group in groupby(
        sorted(names), key=lambda name: (name.site, name.journal)
    ):
        if (site, journal) in blocked:
            continue
        mark = marks.get(watermark_key(site, journal), 0)
        taken, why, hole = _follow(group, mark)
        if taken and journals is not None:
            taken, journals = (taken, journals - 1) if journals else ([], 0)
        chosen += taken
        if why:
            held.append(Held(site, journal, why, hole))
    return Plan(tuple(chosen[:limit]), tuple(held))


def new_marks(manifests: Iterable[ManifestName]) -> dict[str, int]:
    """The watermarks after the manifests are registered."""
    marks: dict[str, int] = {}
    for name in manifests:
        key = watermark_key(name.site, name.journal)
        marks[key] = max(marks.get(key, 0), name.last)
    return marks


def _follow(
    names: Iterable[ManifestName], mark: int
) -> tuple[list[ManifestName], str, tuple[int, int] | None]:
    taken: list[ManifestName] = []
    for name in names:
        if name.last <= mark:
            continue
        if name.last < name.first:
            return taken, f"manifest {name.path} ends before it starts", None
        if name.first > mark + 1:
            hole = mark + 1, name.first - 1
            return taken, f"no manifest for offsets {hole[0]}-{hole[1]}", hole
        if name.first <= mark:
            return taken, f"manifest {name.path} overlaps what is registered up to {mark}", None
        taken.append(name)
        mark = name.last
    return taken, "", None
