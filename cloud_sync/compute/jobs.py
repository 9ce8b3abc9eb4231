"""What ``[[compute]]`` asks for: jobs, and their tables in the order in which they are made.

A job's name is for life where it names a table: ``features_<job>``. Rollups have one name each, so there is one
job of them; it is there by hand also where no table of the configuration names it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cloud_sync.compute.features import Wanted, columns_of
from cloud_sync.compute.rollups import HOUR_US, MINUTE_US
from cloud_sync.config import Compute
from cloud_sync.cron import trigger
from headrace.config import FaultList
from headrace.errors import ConfigError, UsageError
from headrace.limits.compute import FEATURE_MAX_COLUMNS

if TYPE_CHECKING:
    from cloud_sync.compute.targets import Target

_JOB: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")
_COLUMN: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")
_DEVICES: Final = re.compile(r"[A-Za-z0-9._*-]{1,64}")
_TAKEN: Final = frozenset({"site", "device", "time", "rest"})


@dataclass(frozen=True, slots=True)
class Job:
    """One job."""

    settings: Compute

    @property
    def name(self) -> str:
        return self.settings.job

    @property
    def tables(self) -> tuple[str, ...]:
        if self.settings.kind == "features":
            return ("features_" + self.name.replace("-", "_"),)
        return ("readings_1m", "readings_1h", "readings_1d")

    def targets(self) -> tuple[Target, ...]:
        """The tables in the order in which they are made."""
        # pyiceberg takes a second to import: not for a list of jobs.
        from cloud_sync.compute.targets import feature_target, rollup_targets

        if self.settings.kind == "features":
            return (feature_target(self.tables[0], _wanted(self.settings)),)
        return rollup_targets()


def read(tables: Sequence[Compute], source: str) -> list[Job]:
    """The jobs of a configuration, rollups first: features are made of them.

    Raises:
        ConfigError: with every fault.
    """
    found = FaultList()
    for at, table in enumerate(tables):
        _check(table, f"compute[{at}]", found)
    jobs = [Job(table) for table in tables]
    names = [name for job in jobs for name in job.tables]
    for name in sorted({name for name in names if names.count(name) > 1}):
        found.add("compute", f"two jobs make the table {name}")
    if found.faults:
        raise ConfigError(source, found.faults)
    if not any(job.settings.kind == "rollups" for job in jobs):
        jobs.append(Job(Compute(job="rollups")))
    return sorted(jobs, key=lambda job: job.settings.kind != "rollups")


def choose(jobs: Sequence[Job], name: str | None) -> list[Job]:
    """The job of that name, or all.

    Raises:
        UsageError: there is none.
    """
    chosen = [job for job in jobs if name is None or job.name == name]
    if not chosen:
        known = ", ".join(job.name for job in jobs)
        raise UsageError(f"no compute job {name!r}; known: {known}", hint="add a [[compute]] table")
    return chosen


def _check(table: Compute, key: str, found: FaultList) -> None:
    if not _JOB.fullmatch(table.job):
        found.add(f"{key}.job", f"expected {_JOB.pattern}, got {table.job!r}")
    if table.schedule:
        try:
            trigger(table.schedule)
        except ValueError as error:
            found.add(f"{key}.schedule", f"expected five fields as in a crontab, got {table.schedule!r}: {error}")  # fmt: skip
    if table.kind == "features":
        _check_features(table, key, found)
        return
    for name in ("series", "devices", "windows", "lags"):
        if getattr(table, name):
            found.add(f"{key}.{name}", 'is for kind = "features" alone')


def _check_features(table: Compute, key: str, found: FaultList) -> None:
    if not table.series:
        found.add(f"{key}.series", 'missing; columns and their series, like { flow = "flow" }')
    for column in table.series:
        if not _COLUMN.fullmatch(column) or column in _TAKEN:
            found.add(f"{key}.series", f"expected a column like {_COLUMN.pattern}, not one of {', '.join(sorted(_TAKEN))}; got {column!r}")  # fmt: skip
    for device in table.devices:
        if not _DEVICES.fullmatch(device):
            found.add(f"{key}.devices", f"expected a device's id, maybe with *, got {device!r}")
    columns = columns_of(_wanted(table))
    if len(columns) > FEATURE_MAX_COLUMNS:
        found.add(key, f"{len(columns)} columns are over {FEATURE_MAX_COLUMNS}")
    for name in sorted({name for name in columns if columns.count(name) > 1})[:1]:
        found.add(key, f"the column {name} comes from two places, of series, windows and lags")


def _wanted(table: Compute) -> Wanted:
    return Wanted(
        series=table.series, step_us=MINUTE_US if table.step == "1m" else HOUR_US,
        windows=table.windows, lags=table.lags, devices=table.devices,
    )  # fmt: skip
