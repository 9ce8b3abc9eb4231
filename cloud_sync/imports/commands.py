"""``cloud-sync import``: run jobs, say how far they are, and look at a file before one is written."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from cloud_sync.config import DEFAULT_FILE, CloudSync
from cloud_sync.imports import jobs as import_jobs
from cloud_sync.imports.jobs import ImportJob
from cloud_sync.options import config_option, load
from headrace.commands import reports_errors, verbose_option
from headrace.errors import EXIT_FAILURE
from headrace.imported import journal_of, stream_of
from headrace.metrics import Metrics
from headrace.plugins import IMPORTS, find, names
from headrace.words import instant

if TYPE_CHECKING:
    from cloud_sync.imports.port import Chunk


@click.group("import")
def imports() -> None:
    """Bring history into the lake, exactly once. From files and from other systems.

    \b
    Example:
      cloud-sync import sniff /srv/export/pumps.csv
      cloud-sync import run old-scada --config cloud_sync.toml
    """


@imports.command()
@click.argument("job")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@verbose_option
@reports_errors
def run(job: str, config_path: Path | None, as_json: bool) -> None:
    """Import what the job finds now, land it and register it. Killed, call it again.

    Exit status 1 where it could not be finished, or where rows became no readings.

    \b
    Example:
      cloud-sync import run old-scada --config cloud_sync.toml --json
    """
    from cloud_sync.imports.runner import ImportRun

    settings, jobs = _jobs(config_path)
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopping.append(number))
    one = ImportRun(
        settings, import_jobs.choose(jobs, job), Metrics("cloud_sync"),
        should_stop=lambda: bool(stopping),
    )  # fmt: skip
    with _bar(f"import {job}", hidden=as_json) as progress:
        outcome = one.run(progress)
    registered = one.register() if settings.register.enabled else 0
    result = {
        "job": job, "imported": outcome.readings, "landed": outcome.landed,
        "registered": registered, "refused": outcome.refused, "complete": outcome.is_complete,
    }  # fmt: skip
    if as_json:
        click.echo(msgspec.json.encode(result).decode())
    else:
        click.echo(_told(result))
    sys.exit(EXIT_FAILURE if outcome.refused or not outcome.is_complete else 0)


@imports.command("list")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@verbose_option
@reports_errors
def list_jobs(config_path: Path | None, as_json: bool) -> None:
    """The jobs of the configuration and what each has imported.

    \b
    Example:
      cloud-sync import list --config cloud_sync.toml
    """
    settings, jobs = _jobs(config_path)
    states = [_state(settings, job) for job in jobs]
    if as_json:
        click.echo(msgspec.json.encode(states).decode())
        return
    for state in states:
        ends = (
            f"{state['first_time']} to {state['last_time']}" if state["readings"] else "nothing yet"
        )
        plan = state["schedule"] or "by hand"
        click.echo(f"{state['job']:<20} {state['plugin']:<10} {plan:<14} {state['readings']:>12} readings, {ends}")  # fmt: skip


@imports.command()
@click.argument("job")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@verbose_option
@reports_errors
def status(job: str, config_path: Path | None, as_json: bool) -> None:
    """Show how far a job is. Readings, their range of time, what was refused and why.

    \b
    Example:
      cloud-sync import status old-scada --config cloud_sync.toml --json
    """
    settings, jobs = _jobs(config_path)
    state = _state(settings, import_jobs.choose(jobs, job))
    if as_json:
        click.echo(msgspec.json.encode(state).decode())
        return
    for key, value in state.items():
        click.echo(f"{key:<12} {value if value != {} else 'nothing'}")


@imports.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@verbose_option
@reports_errors
def sniff(file: Path) -> None:
    """Propose an [[imports]] table for a CSV or Parquet file. It looks at the file's beginning.

    \b
    Example:
      cloud-sync import sniff /srv/export/pumps.csv >> cloud_sync.toml
    """
    from cloud_sync.imports.files.sniff import propose

    click.echo(propose(file), nl=False)


@imports.command("sample-config")
@click.option("--plugin", required=True, help="One of the installed plugins.")
@reports_errors
def sample_config(plugin: str) -> None:
    """Print the [[imports]] table of a plugin. It has every key and says when to change it.

    \b
    Example:
      cloud-sync import sample-config --plugin files
    """
    click.echo(find(IMPORTS, plugin).sample(), nl=False)


@imports.command("plugins")
@reports_errors
def plugins() -> None:
    """The import plugins that are installed.

    \b
    Example:
      cloud-sync import plugins
    """
    for name in names(IMPORTS):
        click.echo(name)


def _jobs(config_path: Path | None) -> tuple[CloudSync, list[ImportJob]]:
    settings = load(config_path, None)
    return settings, import_jobs.read(settings.imports, str(config_path or DEFAULT_FILE))


def _state(settings: CloudSync, job: ImportJob) -> dict[str, Any]:
    from cloud_sync.imports.runner import spool_path
    from cloud_sync.imports.spool import Totals, look

    path = spool_path(settings, job)
    totals, waiting, _ = look(path) if path.exists() else (Totals(), 0, 0)
    return {
        "job": job.name, "plugin": job.plugin_name, "schedule": job.schedule, "site": job.site,
        "source": stream_of(job.name), "journal": journal_of(job.site, job.name),
        "readings": totals.readings, "waiting": waiting,
        "first_time": instant(totals.first_time) if totals.readings else "",
        "last_time": instant(totals.last_time) if totals.readings else "",
        "imported": instant(totals.imported_at) if totals.imported_at else "",
        "refused": totals.refused,
    }  # fmt: skip


def _told(result: dict[str, Any]) -> str:
    refused = ", ".join(f"{count} {reason}" for reason, count in result["refused"].items())
    lines = [f"{result['job']}: imported {result['imported']} readings, landed {result['landed']}, registered {result['registered']}"]  # fmt: skip
    if refused:
        lines.append(f"refused: {refused}")
    if not result["complete"]:
        lines.append("stopped before the end: call it again to go on")
    return "\n".join(lines)


@contextmanager
def _bar(label: str, *, hidden: bool) -> Iterator[Any]:
    """A progress bar on stderr, in thousandths: sources count in units of their own."""
    with click.progressbar(length=1_000, label=label, file=sys.stderr, hidden=hidden) as bar:

        def progress(chunk: Chunk) -> None:
            if chunk.total:
                bar.update(max(0, chunk.done * 1_000 // chunk.total - bar.pos))

        yield progress
