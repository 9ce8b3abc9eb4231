"""Settings of the plugin ``ga4``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from msgspec import Meta

from cloud_sync.imports.days import check_day
from cloud_sync.imports.http.config import check_file, check_url
from cloud_sync.imports.times import problem_of
from headrace.batch import is_device_id
from headrace.config import FaultList
from headrace.limits.imports import GA4_PAGE_ROWS

#: Dimensions that say the time, and their formats; the finest that is there counts.
TIMES: Final = {"dateHourMinute": "%Y%m%d%H%M", "dateHour": "%Y%m%d%H", "date": "%Y%m%d"}

#: What the API takes in one request.
_MAX_DIMENSIONS: Final = 9
_MAX_METRICS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Ga4Settings:
    """``time_zone`` is the property's own: its days and hours are in it."""

    url: str = "https://analyticsdata.googleapis.com"
    property_id: str
    token_file: Path
    first_day: str
    lag_days: Annotated[int, Meta(ge=0, le=365)] = 2
    time_zone: str = "UTC"
    dimensions: tuple[str, ...] = ("dateHour",)
    metrics: tuple[str, ...] = ("activeUsers", "eventCount")
    device: str = "ga4"
    page_rows: Annotated[int, Meta(ge=1, le=250_000)] = GA4_PAGE_ROWS
    requests_per_minute: Annotated[float, Meta(gt=0, le=6_000)] = 60.0


def check(settings: Ga4Settings, key: str, found: FaultList) -> None:
    """Faults between keys."""
    check_url(settings.url, f"{key}.url", found, secret=True)
    check_file(settings.token_file, f"{key}.token_file", found)
    check_day(settings.first_day, f"{key}.first_day", found)
    problem = problem_of("auto", settings.time_zone)
    if problem:
        found.add(f"{key}.time_zone", problem.partition(": ")[2])
    if not settings.property_id.isdecimal():
        found.add(f"{key}.property_id", f"expected digits, got {settings.property_id!r}")
    if not set(TIMES) & set(settings.dimensions):
        found.add(f"{key}.dimensions", f"expected one of {', '.join(TIMES)} among them: it says the time")  # fmt: skip
    if len(settings.dimensions) > _MAX_DIMENSIONS or not 1 <= len(settings.metrics) <= _MAX_METRICS:
        found.add(f"{key}.metrics", f"expected at most {_MAX_DIMENSIONS} dimensions and 1 to {_MAX_METRICS} metrics")  # fmt: skip
    if not is_device_id(settings.device):
        found.add(f"{key}.device", f"expected letters, digits, '.', '_' and '-', got {settings.device!r}")  # fmt: skip
