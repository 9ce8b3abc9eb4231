"""Settings of the plugin ``http``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta

from cloud_sync.imports import mapping
from cloud_sync.imports.mapping import Mapping
from headrace.config import FaultList


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """``records`` and ``cursor_field`` are dotted paths into an answer."""

    url: str
    params: dict[str, str] = field(default_factory=dict)
    records: str = ""
    paging: Literal["none", "page", "offset", "cursor", "link"] = "none"
    page_param: str = "page"
    first_page: Annotated[int, Meta(ge=0)] = 1
    size_param: str = ""
    page_size: Annotated[int, Meta(ge=1, le=1_000_000)] = 100
    cursor_param: str = "cursor"
    cursor_field: str = "next_cursor"
    auth_header: str = "Authorization"
    auth_file: Path | None = None
    requests_per_minute: Annotated[float, Meta(ge=0, le=60_000)] = 0.0
    mapping: Mapping = field(default_factory=Mapping)


def check(settings: HttpSettings, key: str, found: FaultList) -> None:
    """Faults between keys."""
    mapping.check(settings.mapping, f"{key}.mapping", found)
    check_url(settings.url, f"{key}.url", found, secret=settings.auth_file is not None)
    check_file(settings.auth_file, f"{key}.auth_file", found)


def check_url(url: str, key: str, found: FaultList, *, secret: bool) -> None:
    """An address, and TLS where a secret travels further than this machine."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        found.add(key, f"expected http:// or https:// and a host, got {url!r}")
    elif secret and parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):  # fmt: skip
        found.add(key, f"sends a secret in the clear; expected https://, got {url!r}")


def check_file(path: Path | None, key: str, found: FaultList) -> None:
    """A secret's file that is there."""
    if path is not None and not path.is_file():
        found.add(key, f"no such file: {path}")
