"""The ``cloud-sync`` command."""

from __future__ import annotations

import signal
import sys
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec
from prometheus_client import start_http_server

from cloud_sync import config as configuration
from cloud_sync.compute import jobs as compute_jobs
from cloud_sync.compute.commands import compute
from cloud_sync.config import DEFAULT_FILE, CloudSync
from cloud_sync.imports import jobs as import_jobs
from cloud_sync.imports.commands import imports
from cloud_sync.lake.commands import give_up, restore_table, verify
from cloud_sync.maintain.commands import maintain
from cloud_sync.models.commands import models
from cloud_sync.options import config_option, data_option, load
from cloud_sync.quality.commands import quality
from cloud_sync.raw.commands import replay
from headrace import __version__, logs, memory
from headrace.commands import CONTEXT, reports_errors, verbose_option
from headrace.errors import EXIT_FAILURE, StorageError, UsageError
from headrace.landing import watermark_key
from headrace.metrics import Metrics

if TYPE_CHECKING:
    from cloud_sync.catalog.keeper import SeriesKeeper
    from cloud_sync.lake.latest import LatestKeeper
    from cloud_sync.pipeline import Pipeline
    from cloud_sync.raw.keeper import Keeper


@click.group(context_settings=CONTEXT)
@click.version_option(__version__, prog_name="cloud-sync")
def main() -> None:
    """Land the gateway's journal in the lake and register it, exactly once.

    \b
    Example:
      cloud-sync sample-config > cloud_sync.toml
      cloud-sync run --config cloud_sync.toml
    """


for command in (
    models, imports, compute, maintain, quality, replay, verify, restore_table, give_up,
):  # fmt: skip
    main.add_command(command)


@main.command()
@config_option
@data_option
@verbose_option
@reports_errors
def run(config_path: Path | None, data: Path | None) -> None:
    """Land and register on a schedule until SIGTERM or Ctrl-C.

    \b
    Example:
      cloud-sync run --data headrace-data
    """
    # Here and below: what takes a second to import is imported where it is needed.
    from cloud_sync.beside import beside
    from cloud_sync.service import Service

    memory.keep_freed()
    settings = load(config_path, data)
    logs.configure(settings.log)
    logs.bind(program="cloud-sync")
    metrics = Metrics("cloud_sync")
    service = Service(settings, _pipeline(settings, metrics), metrics, beside(settings, metrics))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: service.stop())
    _serve_metrics(settings, metrics)
    sys.exit(service.run())


@main.command()
@config_option
@data_option
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@verbose_option
@reports_errors
def once(config_path: Path | None, data: Path | None, as_json: bool) -> None:
    """Land and register all that is there now, then end.

    Exit status 1 if something could not be finished; calling it again goes on.

    \b
    Example:
      cloud-sync once --data headrace-data --json
    """
    settings = load(config_path, data)
    metrics = Metrics("cloud_sync")
    pipeline = _pipeline(settings, metrics)
    landed = pipeline.land() if settings.landing.enabled else 0
    kept = _keeper(settings, metrics).keep() if settings.landing.enabled else 0
    registered = pipeline.register() if settings.register.enabled else pipeline.ask()
    if settings.register.enabled:
        _latest(settings).step()
        _series(settings).step()
    is_whole = settings.register.enabled and settings.landing.enabled
    watermark = _watermark(pipeline) if is_whole else None
    held = [str(each) for each in pipeline.registrar.held]
    warnings = pipeline.registrar.warnings
    if as_json:
        result = {
            "landed": landed, "registered": registered, "watermark": watermark, "held": held,
            **({"raw": kept} if settings.raw.days else {}),
            **({"warnings": warnings} if warnings else {}),
        }  # fmt: skip
        click.echo(msgspec.json.encode(result).decode())
    else:
        click.echo(f"landed {landed} readings, registered {registered}, watermark {watermark}")
        for each in held:
            click.echo(f"held: {each}")
        for each in warnings:
            click.echo(f"warning: {each}")
    sys.exit(EXIT_FAILURE if held else 0)


@main.command("check-config")
@config_option
@verbose_option
@reports_errors
def check_config(config_path: Path | None) -> None:
    """Check a configuration and start nothing. Exit status 2 with every fault.

    \b
    Example:
      cloud-sync check-config --config cloud_sync.toml
    """
    path = config_path or Path(DEFAULT_FILE)
    settings = configuration.load(path)
    import_jobs.read(settings.imports, str(path))
    compute_jobs.read(settings.compute, str(path))
    click.echo(f"{path}: ok")


@main.command("sample-config")
def sample_config() -> None:
    """Print a configuration with every key and its default. It says when to change it.

    \b
    Example:
      cloud-sync sample-config > cloud_sync.toml
    """
    click.echo(files("cloud_sync").joinpath("sample.toml").read_text(encoding="utf-8"), nl=False)


@main.command()
@config_option
@verbose_option
@reports_errors
def health(config_path: Path | None) -> None:
    """Ask the cloud-sync on this machine whether it works. Exit status 1 if it does not.

    The question goes to its metrics page, so metrics.port must be set.

    \b
    Example:
      cloud-sync health --config cloud_sync.toml
    """
    from headrace.health import probe

    metrics = load(config_path, None).metrics
    if metrics.port == 0:
        raise UsageError("metrics are off, so there is nobody to ask", hint="set metrics.port")
    probe(metrics.host, metrics.port, "/metrics")
    click.echo("OK")


def _pipeline(settings: CloudSync, metrics: Metrics) -> Pipeline:
    from cloud_sync.pipeline import Pipeline, open_parts
    from cloud_sync.tracing.choose import make_trace

    trace = make_trace(settings.tracing, settings.journal.path)
    return Pipeline(settings, open_parts(settings), metrics, trace)


def _latest(settings: CloudSync) -> LatestKeeper:
    from cloud_sync.lake.latest import LatestKeeper

    return LatestKeeper(settings.lake)


def _series(settings: CloudSync) -> SeriesKeeper:
    from cloud_sync.catalog.keeper import SeriesKeeper
    from headrace.clock import SystemClock

    return SeriesKeeper(settings, SystemClock())


def _keeper(settings: CloudSync, metrics: Metrics) -> Keeper:
    from cloud_sync.raw.keeper import Keeper
    from headrace.lake.opening import open_store

    return Keeper(settings, open_store(settings.lake), metrics)


def _serve_metrics(settings: CloudSync, metrics: Metrics) -> None:
    if settings.metrics.port == 0:
        return
    address = f"{settings.metrics.host}:{settings.metrics.port}"
    try:
        start_http_server(settings.metrics.port, settings.metrics.host, metrics.registry)
    except OSError as error:
        raise StorageError(f"cannot serve metrics on {address}: {error.strerror}") from error


def _watermark(pipeline: Pipeline) -> int:
    return pipeline.registrar.watermarks().get(watermark_key(*pipeline.key()), 0)
