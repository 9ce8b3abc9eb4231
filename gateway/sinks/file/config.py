"""Settings of the file sink."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from gateway.sinks.config import SinkSettings
from headrace.config import FaultList
from headrace.limits.sinks import FILE_MAX_AGE_S, FILE_MAX_BYTES, FILE_TOTAL_BYTES
from headrace.limits.sizes import KIB

Format = Literal["ndjson", "csv", "parquet", "arrow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSettings(SinkSettings):
    """``[[sinks]] plugin = "file"``; see sample.toml for what to change when."""

    folder: Path
    format: Format = "ndjson"
    gzip: bool = False
    max_file_bytes: Annotated[int, Meta(ge=64 * KIB)] = FILE_MAX_BYTES
    max_file_age_s: Annotated[float, Meta(ge=1)] = FILE_MAX_AGE_S
    max_total_bytes: Annotated[int, Meta(ge=128 * KIB)] = FILE_TOTAL_BYTES
    when_full: Literal["remove_oldest", "stop"] = "remove_oldest"


def check(settings: FileSettings, key: str, found: FaultList) -> None:
    """Add what single fields cannot say."""
    if settings.max_total_bytes < 2 * settings.max_file_bytes:
        found.add(
            f"{key}.max_total_bytes",
            f"must be at least twice max_file_bytes ({settings.max_file_bytes}), "
            f"got {settings.max_total_bytes}",
        )
    if settings.gzip and settings.format in ("parquet", "arrow"):
        found.add(
            f"{key}.gzip", f"is for text; {settings.format} files are packed with zstd anyway"
        )
    if settings.folder.exists() and not settings.folder.is_dir():
        found.add(f"{key}.folder", f"is not a folder: {settings.folder}")
