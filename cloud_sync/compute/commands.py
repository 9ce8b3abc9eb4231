"""``cloud-sync compute``: run jobs now, list them, and say what they have and lack."""

from __future__ import annotations

import signal
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from cloud_sync.compute import jobs as compute_jobs
from cloud_sync.compute.jobs import Job
from cloud_sync.config import DEFAULT_FILE, CloudSync, EngineName
from cloud_sync.maintain.commands import Bars
from cloud_sync.options import config_option, data_option, load
from headrace.commands import reports_errors, verbose_option
from headrace.errors import EXIT_FAILURE
from headrace.metrics import Metrics

if TYPE_CHECKING:
    from cloud_sync.compute.run import State


@click.group()
def compute() -> None:
    """Compute rollups and features. Again only where readings came late.

    \b
    Example:
      cloud-sync compute run --data headrace-data
      headrace query "SELECT time, mean FROM readings_1m WHERE device = 'pump-1'"
    """


@compute.command()
@click.argument("job", required=False)
@config_option
@data_option
@click.option(
    "--engine", type=click.Choice(["duckdb", "spark"]), help="Instead of the one of the job."
)
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="YYYY-MM-DD",
    help="Compute this day and later ones again, whether they have changed or not.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@verbose_option
@reports_errors
def run(
    job: str | None, config_path: Path | None, data: Path | None, engine: EngineName | None,
    since: datetime | None, as_json: bool,
) -> None:  # fmt: skip
    """Compute what has changed since the last run. Of one job or of all; killed, call it again.

    Exit status 1 where something is left for the next run.

    \b
    Example:
      cloud-sync compute run --data headrace-data
      cloud-sync compute run rollups --since 2026-11-01 --engine spark --json
    """
    from cloud_sync.compute.days import day_of
    from cloud_sync.compute.run import ComputeRun

    settings, jobs = _jobs(config_path, data)
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopping.append(number))
    day = day_of(since.date().isoformat()) if since is not None else None
    bars = Bars(is_quiet=as_json)
    outcomes = [
        outcome
        for each in compute_jobs.choose(jobs, job)
        for outcome in ComputeRun(
            settings, each, Metrics("cloud_sync"), engine=engine, since=day, watch=bars.begin,
            should_stop=lambda: bool(stopping),
        ).run()
    ]  # fmt: skip
    bars.end()
    if as_json:
        click.echo(msgspec.json.encode(outcomes).decode())
    else:
        for outcome in outcomes:
            click.echo(outcome)
    unfinished = any(outcome.left or not outcome.is_complete for outcome in outcomes)
    sys.exit(EXIT_FAILURE if unfinished else 0)


@compute.command("list")
@config_option
@data_option
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@verbose_option
@reports_errors
def list_jobs(config_path: Path | None, data: Path | None, as_json: bool) -> None:
    """List the jobs, their schedules and their tables.

    \b
    Example:
      cloud-sync compute list --config cloud_sync.toml
    """
    _, jobs = _jobs(config_path, data)
    told = [
        {
            "job": job.name, "kind": job.settings.kind, "schedule": job.settings.schedule,
            "engine": job.settings.engine, "tables": job.tables,
        }
        for job in jobs
    ]  # fmt: skip
    if as_json:
        click.echo(msgspec.json.encode(told).decode())
        return
    for job in jobs:
        plan = job.settings.schedule or "by hand"
        click.echo(f"{job.name:<20} {job.settings.kind:<10} {plan:<14} {job.settings.engine:<8} {', '.join(job.tables)}")  # fmt: skip


@compute.command()
@click.argument("job", required=False)
@config_option
@data_option
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@verbose_option
@reports_errors
def status(job: str | None, config_path: Path | None, data: Path | None, as_json: bool) -> None:
    """Show what each table has. When it was computed, and which days it does not have as they are now.

    Without a job also tables that no job of the configuration makes any more.

    \b
    Example:
      cloud-sync compute status rollups --data headrace-data --json
    """
    from cloud_sync.compute.run import left_behind, states

    settings, jobs = _jobs(config_path, data)
    found = [state for each in compute_jobs.choose(jobs, job) for state in states(settings, each)]
    if job is None:
        found += left_behind(settings, jobs)
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
        return
    for state in found:
        click.echo(_told(state))


@compute.command()
@click.argument("table")
@config_option
@data_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@verbose_option
@reports_errors
def drop(table: str, config_path: Path | None, data: Path | None, yes: bool) -> None:
    """Remove a computed TABLE with its files. To have it made anew, or no more.

    It is made again from what is there: not for days that retention has taken.

    \b
    Example:
      cloud-sync compute drop features_pumps --data headrace-data
    """
    from cloud_sync.compute.dropping import drop as drop_table

    lake = load(config_path, data).lake
    if not yes:
        click.confirm(f"Remove {table} and its files from {lake.uri}?", abort=True)
    drop_table(lake, table)
    click.echo(f"{table}: removed")


def _told(state: State) -> str:
    if state.is_left:
        return (
            f"{state.table}: {state.days} days to {state.newest or '-'}, {state.rows} rows, "
            f"{state.bytes / 1e6:.1f} MB; no job makes it any more: cloud-sync compute drop {state.table}"
        )
    if not state.days and not state.waiting:
        return f"{state.table}: nothing yet, and nothing to compute"
    when = f"computed {state.computed_at} by {state.engine}" if state.days else "never computed"
    waiting = ", ".join(state.waiting[:5]) + (" …" if len(state.waiting) > 5 else "")
    return (
        f"{state.table}: {state.days} days to {state.newest or '-'}, {state.rows} rows, "
        f"{state.bytes / 1e6:.1f} MB, {when}; {len(state.waiting)} days wait"
        f"{': ' + waiting if waiting else ''}"
    )


def _jobs(config_path: Path | None, data: Path | None) -> tuple[CloudSync, list[Job]]:
    settings = load(config_path, data)
    return settings, compute_jobs.read(settings.compute, str(config_path or DEFAULT_FILE))
