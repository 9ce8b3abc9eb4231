"""Settings of the InfluxDB sink."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from gateway.sinks.config import OddTimes, SinkSettings
from headrace.config import FaultList
from headrace.limits.sinks import SINK_TIMEOUT_S


@dataclass(frozen=True, slots=True, kw_only=True)
class InfluxDBSettings(SinkSettings):
    """``[[sinks]] plugin = "influxdb"``; see sample.toml for what to change when."""

    api: Literal["v3", "v2", "v1"] = "v2"
    url: Annotated[str, Meta(pattern=r"^https?://[^/]+")] = "http://127.0.0.1:8086"
    org: str = ""
    bucket: str = ""
    token_file: Path | None = None
    ca_file: Path | None = None
    database: str = ""
    username: str = ""
    password_file: Path | None = None
    measurement: Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$")] = "readings"
    gzip: bool = True
    timeout_s: Annotated[float, Meta(gt=0, le=300)] = SINK_TIMEOUT_S
    odd_times: OddTimes = "hold"

    @property
    def holds_odd_times(self) -> bool:
        return self.odd_times == "hold"


def check(settings: InfluxDBSettings, key: str, found: FaultList) -> None:
    """Add what single fields cannot say."""
    if settings.api == "v2" and not settings.bucket:
        found.add(f"{key}.bucket", 'missing; api = "v2" needs it (and org, token_file)')
    if settings.api != "v2" and not settings.database:
        found.add(f"{key}.database", f'missing; api = "{settings.api}" needs it')
    found.add_missing_files(settings, key, "token_file", "password_file", "ca_file")
