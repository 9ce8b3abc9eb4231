"""cloud_sync.toml: where the journal is, where the lake is, and how often.

Everything has a default: with no file at all cloud_sync serves the data folder that ``headrace demo``
makes. On a site that may only write, ``register.enabled = false`` leaves registering to the cloud.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, Literal

from msgspec import Meta

from headrace import config
from headrace.config import FaultList, PluginTable
from headrace.lake import config as lake_config
from headrace.limits.catalog import SERIES_INTERVAL_S
from headrace.limits.compute import DUCKDB_MEMORY_MB, FEATURE_MAX_STEPS
from headrace.limits.lake import (
    KEEP_LANDED_BYTES,
    KEEP_LANDED_S,
    KEEP_SNAPSHOTS,
    LANDING_INTERVAL_S,
    LANDING_MAX_BYTES,
    LANDING_MAX_ROWS,
    RAW_INTERVAL_S,
    REGISTER_INTERVAL_S,
)
from headrace.limits.maintain import (
    DENSE_LEVEL,
    GRACE_S,
    INTERVAL_S,
    MIN_FILES,
    ORPHAN_AGE_S,
    SETTLE_S,
    TARGET_BYTES,
)
from headrace.limits.quality import (
    GAP_FACTOR,
    OUTLIER_DEVIATIONS,
    QUALITY_INTERVAL_S,
    QUALITY_SETTLE_S,
)
from headrace.logs import LogConfig
from headrace.tracing.config import TracingConfig

DEFAULT_FILE: Final = "cloud_sync.toml"

Verify = Literal["size", "sha256"]
EngineName = Literal["duckdb", "spark"]
Reader = Literal["auto", "arrow", "spark"]
Interval = Annotated[float, Meta(ge=0.1, le=86_400)]
Steps = Annotated[int, Meta(ge=1, le=FEATURE_MAX_STEPS)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing:
    """``[landing]``: how often and how much at once; where there is no journal it is off."""

    enabled: bool = True
    interval_s: Interval = LANDING_INTERVAL_S
    max_rows: Annotated[int, Meta(ge=1, le=100_000_000)] = LANDING_MAX_ROWS
    max_bytes: Annotated[int, Meta(ge=1, le=2**31)] = LANDING_MAX_BYTES
    keep_s: Annotated[float, Meta(ge=0, le=31_536_000)] = KEEP_LANDED_S
    keep_bytes: Annotated[int, Meta(ge=0)] = KEEP_LANDED_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """``[register]``: one process per lake has it on."""

    enabled: bool = True
    interval_s: Interval = REGISTER_INTERVAL_S
    keep_snapshots: Annotated[int, Meta(ge=1, le=10_000)] = KEEP_SNAPSHOTS
    verify: Verify = "size"


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """``[raw]``: payloads as received, kept for some days; 0 is off."""

    days: Annotated[int, Meta(ge=0, le=36_500)] = 0
    interval_s: Interval = RAW_INTERVAL_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Spool:
    """``[spool]``: where import jobs keep what has not landed, and how far they are."""

    folder: Path = lake_config.DEFAULT_DATA / "imports"


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintain:
    """``[maintain]``: by the process that registers. ``keep_days`` and ``skip`` name tables."""

    enabled: bool = True
    interval_s: Interval = INTERVAL_S
    target_bytes: Annotated[int, Meta(ge=2**20, le=2**40)] = TARGET_BYTES
    min_files: Annotated[int, Meta(ge=2, le=10_000)] = MIN_FILES
    settle_s: Annotated[float, Meta(ge=0, le=30 * 86_400)] = SETTLE_S
    level: Annotated[int, Meta(ge=1, le=22)] = DENSE_LEVEL
    grace_s: Annotated[float, Meta(ge=0, le=30 * 86_400)] = GRACE_S
    orphan_age_s: Annotated[float, Meta(ge=60, le=365 * 86_400)] = ORPHAN_AGE_S
    keep_days: dict[str, Annotated[int, Meta(ge=1, le=100_000)]] = field(default_factory=dict)
    skip: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Compute:
    """One ``[[compute]]`` table: rollups, or a table of features.

    ``schedule``: five fields as in a crontab, UTC; empty: only by ``cloud-sync compute run``. The keys from
    ``step`` on are of features: columns and the series that they are, windows and lags in steps.
    """

    job: str
    kind: Literal["rollups", "features"] = "rollups"
    schedule: str = ""
    engine: EngineName = "duckdb"
    step: Literal["1m", "1h"] = "1m"
    series: dict[str, str] = field(default_factory=dict)
    devices: tuple[str, ...] = ()
    windows: tuple[Steps, ...] = ()
    lags: tuple[Steps, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DuckdbOptions:
    """``[engines.duckdb]``: 0 threads are as many as there are cores."""

    memory_mb: Annotated[int, Meta(ge=128, le=1_048_576)] = DUCKDB_MEMORY_MB
    threads: Annotated[int, Meta(ge=0, le=1_024)] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SparkOptions:
    """``[engines.spark]``: where Spark is, who reads the lake's files there, and its own settings."""

    master: str = "local[*]"
    reader: Reader = "auto"
    properties: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Engines:
    """``[engines]``: what ``engine`` of a compute job stands for."""

    duckdb: DuckdbOptions = DuckdbOptions()
    spark: SparkOptions = field(default_factory=SparkOptions)


@dataclass(frozen=True, slots=True, kw_only=True)
class TagRule:
    """``[[catalog.tags]]``: which series, by shell patterns, and what is said of them."""

    site: str = "*"
    device: str = "*"
    name: str = "*"
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """``[catalog]``: the table of series, kept by the process that registers."""

    interval_s: Interval = SERIES_INTERVAL_S
    tags: tuple[TagRule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """``[[quality.expected]]``: how often series speak, by shell patterns; 0: nobody knows."""

    site: str = "*"
    device: str = "*"
    name: str = "*"
    interval_s: Annotated[float, Meta(ge=0, le=86_400)] = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """``[quality]``: by the process that registers."""

    enabled: bool = True
    interval_s: Interval = QUALITY_INTERVAL_S
    settle_s: Annotated[float, Meta(ge=0, le=30 * 86_400)] = QUALITY_SETTLE_S
    gap_factor: Annotated[float, Meta(ge=1.5, le=1_000)] = GAP_FACTOR
    outlier_deviations: Annotated[float, Meta(ge=1, le=1_000)] = OUTLIER_DEVIATIONS
    expected: tuple[Expected, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """``[metrics]``: a page for Prometheus; port 0 is off."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudSync:
    """The whole file."""

    journal: lake_config.Journal = field(default_factory=lake_config.Journal)
    lake: lake_config.Lake = field(default_factory=lake_config.Lake)
    landing: Landing = Landing()
    register: Register = Register()
    raw: Raw = Raw()
    spool: Spool = field(default_factory=Spool)
    imports: tuple[PluginTable, ...] = ()
    maintain: Maintain = field(default_factory=Maintain)
    compute: tuple[Compute, ...] = ()
    engines: Engines = field(default_factory=Engines)
    catalog: Catalog = Catalog()
    quality: Quality = Quality()
    metrics: Metrics = Metrics()
    tracing: TracingConfig = field(default_factory=TracingConfig)
    log: LogConfig = field(default_factory=LogConfig)


def load(path: Path) -> CloudSync:
    """Read and validate the file.

    Raises:
        ConfigError: with every fault.
    """
    return config.load(path, CloudSync, check=check)


def for_data(folder: Path) -> CloudSync:
    """The configuration of a data folder: journal in ``gateway/``, lake in ``lake/``."""
    journal, lake = lake_config.for_data(folder)
    return CloudSync(journal=journal, lake=lake, spool=Spool(folder=folder / "imports"))


def check(value: CloudSync, found: FaultList) -> None:
    """Faults between keys."""
    lake_config.check(value.lake, found, needs_catalogue=value.register.enabled)
    if not (value.landing.enabled or value.register.enabled):
        found.add("landing.enabled", "landing and registering are both off: nothing is left to do")
    for place, rule in enumerate(value.catalog.tags):
        if not rule.tags:
            found.add(f"catalog.tags[{place}].tags", 'missing; for example tags = { line = "3" }')
