"""How far a table that is made of landings goes in each journal, as properties of its own.

::

    headrace.covered.<site>.<journal>   the last offset of a journal that is in it

They are set in the commit that brings the rows, and read as watermarks are (``headrace.lake.manifests``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from headrace.lake.manifests import unregistered, watermark_of
from headrace.lake.store import Store
from headrace.landing import WATERMARK_PREFIX, ManifestName

_PREFIX: Final = "headrace.covered."


def covered(properties: Mapping[str, str]) -> dict[str, int]:
    """The offsets by the keys of watermarks."""
    return {
        WATERMARK_PREFIX + key.removeprefix(_PREFIX): int(value)
        for key, value in properties.items()
        if key.startswith(_PREFIX) and value.isdecimal()
    }


def as_covered(marks: Mapping[str, int]) -> dict[str, str]:
    """The same as properties."""
    return {_PREFIX + key.removeprefix(WATERMARK_PREFIX): str(at) for key, at in marks.items()}


def registered_behind(
    store: Store, covered: Mapping[str, int], marks: Mapping[str, int]
) -> list[ManifestName]:
    """Manifests that are registered and behind these offsets, in order."""
    found = unregistered(store, covered)
    return [name for name in found if name.last <= watermark_of(marks, name)]
