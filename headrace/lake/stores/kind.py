"""What the lake needs of a kind of object store: the port, and the same place for Arrow's readers.

pyiceberg, DuckDB's scans and the port must see the same objects, so each kind says all three in one
file and exports them as ``KIND``. How their libraries' errors are said is the same everywhere: ``failure``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pyarrow import fs

from headrace.errors import LakeError, LakeUnavailable
from headrace.lake.config import Lake
from headrace.lake.store import Store

#: Answers by HTTP that no retry will change: bad request, no valid credential, not allowed, no such bucket.
REFUSED: Final = frozenset({400, 401, 403, 404})


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreKind:
    """One kind.

    Args:
        open: the port; connects to nothing yet.
        filesystem: the same for Arrow.
        arrow_path: an object's path there, from its address.
        properties: pyiceberg's own words for the place; None where it lacks them, and its files go
            through ``filesystem`` (``headrace.lake.fileio.LakeFileIO``).
    """

    open: Callable[[Lake], Store]
    filesystem: Callable[[Lake], fs.FileSystem]
    arrow_path: Callable[[str], str]
    properties: Callable[[Lake], dict[str, str]] | None = None


def failure(place: str, what: str, why: object, *, hint: str = "") -> LakeError:
    """What a library has raised, as an error of ours.

    Args:
        place: the lake's address. what: was to be done. why: the error, or what of it is worth saying.
        hint: given where the store has refused, so that no retry will change it; else it is away.
    """
    reason = (str(why).splitlines() or [type(why).__name__])[0]
    message = f"lake {place}: cannot {what}: {reason}"
    return LakeError(message, hint=hint) if hint else LakeUnavailable(message)


def after_scheme(uri: str) -> str:
    """``bucket/key``: how Arrow names an object of a bucket."""
    return uri.partition("://")[2]
