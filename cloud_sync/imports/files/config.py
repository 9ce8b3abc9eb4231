"""Settings of the plugin ``files``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Final, Literal

from msgspec import Meta

from cloud_sync.imports import mapping
from cloud_sync.imports.mapping import Mapping
from headrace.config import FaultList

#: What ``mapping.device`` may say in braces.
PLACES: Final = ("stem", "folder")


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesSettings:
    """``path`` is a file, a folder (all of it, also below) or a pattern (``/data/**/*.csv``)."""

    path: str
    format: Literal["auto", "csv", "parquet"] = "auto"
    delimiter: Annotated[str, Meta(min_length=1, max_length=1)] = ","
    quote: Annotated[str, Meta(min_length=1, max_length=1)] = '"'
    encoding: str = "utf-8"
    skip_lines: Annotated[int, Meta(ge=0, le=10_000)] = 0
    header: tuple[str, ...] = ()
    multiline: bool = False
    mapping: Mapping = field(default_factory=Mapping)


def check(settings: FilesSettings, key: str, found: FaultList) -> None:
    """Faults between keys."""
    mapping.check(settings.mapping, f"{key}.mapping", found, places=PLACES)
    try:
        "".encode(settings.encoding)
    except LookupError:
        found.add(f"{key}.encoding", f"expected a name like utf-8 or latin-1, got {settings.encoding!r}")  # fmt: skip
