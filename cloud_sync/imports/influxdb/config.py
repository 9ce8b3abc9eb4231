"""Settings of the plugin ``influxdb``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from cloud_sync.imports.http.config import check_file, check_url
from headrace.batch import is_device_id
from headrace.config import FaultList


@dataclass(frozen=True, slots=True, kw_only=True)
class InfluxSettings:
    """``device_tag`` says whose a row is; rows without it are ``device``'s."""

    url: str = "http://127.0.0.1:8086"
    api: Literal["v1", "v2", "v3"] = "v1"
    database: str = ""
    bucket: str = ""
    org: str = ""
    username: str = ""
    password_file: Path | None = None
    token_file: Path | None = None
    measurements: tuple[str, ...] = ()
    start: str = "1970-01-01T00:00:00Z"
    end: str = ""
    settle_s: Annotated[float, Meta(ge=0, le=31_536_000)] = 60.0
    window_s: Annotated[int, Meta(ge=1, le=31_536_000)] = 3_600
    device_tag: str = "device"
    device: str = ""
    name_tag: str = ""
    requests_per_minute: Annotated[float, Meta(ge=0, le=60_000)] = 0.0


def check(settings: InfluxSettings, key: str, found: FaultList) -> None:
    """Faults between keys."""
    secret = bool(settings.token_file or settings.password_file)
    check_url(settings.url, f"{key}.url", found, secret=secret)
    check_file(settings.token_file, f"{key}.token_file", found)
    check_file(settings.password_file, f"{key}.password_file", found)
    needed = ("bucket", "org") if settings.api == "v2" else ("database",)
    for name in needed:
        if not getattr(settings, name):
            found.add(f"{key}.{name}", f'missing; api = "{settings.api}" needs it')
    if settings.device and not is_device_id(settings.device):
        found.add(f"{key}.device", f"expected letters, digits, '.', '_' and '-', got {settings.device!r}")  # fmt: skip
    if not settings.device and not settings.device_tag:
        found.add(f"{key}.device", "expected device or device_tag; set one of them")
    if settings.api == "v2" and settings.start.startswith("1970"):
        found.add(f"{key}.start", 'missing; api = "v2" goes through windows of time from there on')
    for name in ("start", "end"):
        check_instant(getattr(settings, name), f"{key}.{name}", found)


def check_instant(text: str, key: str, found: FaultList) -> None:
    """An ISO time, or nothing."""
    try:
        instant_us(text or "1970-01-01")
    except ValueError:
        found.add(key, f"expected a time like 2024-01-01T00:00:00Z, got {text!r}")


def instant_us(text: str) -> int:
    """Microseconds since 1970 of an ISO time, UTC where it says no zone."""
    at = datetime.fromisoformat(text)
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return int(at.timestamp()) * 1_000_000 + at.microsecond
