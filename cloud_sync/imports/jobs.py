"""Import jobs as cloud_sync.toml names them: what all have in common, and the plugin's own settings.

A job's name is for life: it is the folder of its spool and the stream of its readings. A job that is
renamed is another one, and imports everything again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from cloud_sync.cron import trigger
from headrace.batch import is_device_id
from headrace.config import FaultList, PluginTable, read_table
from headrace.errors import ConfigError, UsageError
from headrace.imported import JOB_PATTERN, is_job_name
from headrace.plugins import IMPORTS, Plugin, read_plugins

_COMMON: Final = ("job", "site", "schedule")


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """What every ``[[imports]]`` table has.

    ``schedule``: five fields as in a crontab, UTC; empty: only by ``cloud-sync import run``.
    """

    job: str
    site: str
    schedule: str = ""


@dataclass(frozen=True, slots=True)
class ImportJob:
    """One job, ready to be built."""

    name: str
    site: str
    schedule: str
    plugin_name: str
    plugin: Plugin
    settings: Any


def read(tables: Sequence[PluginTable], source: str) -> list[ImportJob]:
    """The jobs of a configuration.

    Raises:
        ConfigError: with every fault.
    """
    found = FaultList()
    jobs = [job for table in tables if (job := _read(table, found)) is not None]
    names = [job.name for job in jobs]
    for name in sorted({name for name in names if names.count(name) > 1}):
        found.add("imports", f"two jobs are called {name!r}; a name belongs to one job for ever")
    if found.faults:
        raise ConfigError(source, found.faults)
    return jobs


def choose(jobs: Sequence[ImportJob], name: str) -> ImportJob:
    """The job of that name.

    Raises:
        UsageError: there is none.
    """
    for job in jobs:
        if job.name == name:
            return job
    known = ", ".join(job.name for job in jobs) or "none at all"
    raise UsageError(f"no import job {name!r}; known: {known}", hint="add an [[imports]] table")


def _read(table: PluginTable, found: FaultList) -> ImportJob | None:
    common = {key: table.settings[key] for key in _COMMON if key in table.settings}
    own = {key: value for key, value in table.settings.items() if key not in _COMMON}
    job = read_table(Common, common, table.key, found)
    if job is not None:
        _check(job, table.key, found)
    loaded = read_plugins(IMPORTS, (PluginTable(table.key, table.plugin, own),), found)
    if job is None or not loaded:
        return None
    ((_, plugin, settings),) = loaded
    return ImportJob(job.job, job.site, job.schedule, table.plugin, plugin, settings)


def _check(job: Common, key: str, found: FaultList) -> None:
    if not is_job_name(job.job):
        found.add(f"{key}.job", f"expected {JOB_PATTERN}, got {job.job!r}")
    if not is_device_id(job.site):
        found.add(f"{key}.site", f"expected letters, digits, '.', '_' and '-', got {job.site!r}")
    if job.schedule:
        try:
            trigger(job.schedule)
        except ValueError as error:
            found.add(f"{key}.schedule", f"expected five fields as in a crontab, got {job.schedule!r}: {error}")  # fmt: skip
