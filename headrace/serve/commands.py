"""``headrace serve``."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import click

from headrace.commands import reports_errors, verbose_option


@click.command()
@click.option(
    "-c", "--config", "config_path", type=click.Path(path_type=Path), help="A serve.toml."
)
@click.option(
    "--data", type=click.Path(path_type=Path),
    help="Instead of a configuration: a data folder, with gateway/journal.db and lake/ in it.",
)  # fmt: skip
@click.option("--port", type=click.IntRange(1, 65_535), help="With --data. Default: 8088.")
@click.option(
    "--sample-config", is_flag=True, help="Print a configuration with every key, and end."
)
@click.option("--check", is_flag=True, help="Check the configuration and start nothing.")
@verbose_option
@reports_errors
def serve(
    config_path: Path | None, data: Path | None, port: int | None, sample_config: bool, check: bool
) -> None:
    """Answer questions by HTTP, read-only, until SIGTERM or Ctrl-C.

    On 127.0.0.1 anybody on this machine may ask. Other addresses need a token file and a certificate.
    http://127.0.0.1:8088/ describes the paths.

    \b
    Examples:
      headrace serve --data headrace-data
      headrace serve --sample-config > serve.toml
      headrace serve --config serve.toml
    """
    if sample_config:
        text = files("headrace.serve").joinpath("sample.toml").read_text(encoding="utf-8")
        click.echo(text, nl=False)
        return
    # Imported here: what follows takes a second, and --help should not.
    from headrace import logs
    from headrace.serve import config as configuration
    from headrace.serve.service import run

    settings, source = configuration.choose(config_path, data, port)
    if check:
        click.echo(f"{source.config or source.data}: ok")
        return
    logs.configure(settings.log)
    logs.bind(program="headrace-serve")
    run(settings.serve, source)
