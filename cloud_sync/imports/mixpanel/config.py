"""Settings of the plugin ``mixpanel``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from cloud_sync.imports.days import check_day
from cloud_sync.imports.http.config import check_file, check_url
from cloud_sync.imports.times import problem_of
from headrace.batch import is_device_id
from headrace.config import FaultList


@dataclass(frozen=True, slots=True, kw_only=True)
class MixpanelSettings:
    """``values``: numeric properties that become series of their own."""

    url: str = "https://data.mixpanel.com"
    project_id: str = ""
    username: str = ""
    secret_file: Path
    first_day: str
    lag_days: Annotated[int, Meta(ge=0, le=365)] = 1
    time_zone: str = "UTC"
    events: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    device: str = "mixpanel"
    requests_per_hour: Annotated[float, Meta(gt=0, le=3_600)] = 60.0


def check(settings: MixpanelSettings, key: str, found: FaultList) -> None:
    """Faults between keys."""
    check_url(settings.url, f"{key}.url", found, secret=True)
    check_file(settings.secret_file, f"{key}.secret_file", found)
    check_day(settings.first_day, f"{key}.first_day", found)
    problem = problem_of("auto", settings.time_zone)
    if problem:
        found.add(f"{key}.time_zone", problem.partition(": ")[2])
    if settings.username and not settings.project_id:
        found.add(f"{key}.project_id", "missing; a service account needs it")
    if not is_device_id(settings.device):
        found.add(f"{key}.device", f"expected letters, digits, '.', '_' and '-', got {settings.device!r}")  # fmt: skip
