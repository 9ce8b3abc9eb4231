"""What several commands of ``cloud-sync`` share: which configuration, and how it is loaded."""

from __future__ import annotations

from pathlib import Path

import click

from cloud_sync import config as configuration
from cloud_sync.config import DEFAULT_FILE, CloudSync
from headrace.errors import UsageError

config_option = click.option(
    "-c",
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    help=f"Default: {DEFAULT_FILE}.",
)
data_option = click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Instead of a configuration: a data folder, with gateway/journal.db and lake/ in it.",
)


def load(config_path: Path | None, data: Path | None) -> CloudSync:
    """The configuration that the two options name.

    Raises:
        ConfigError: it has faults. UsageError: both are given.
    """
    if config_path is not None and data is not None:
        raise UsageError("--config and --data exclude each other", hint="name one of them")
    if data is not None:
        return configuration.for_data(data)
    return configuration.load(config_path or Path(DEFAULT_FILE))
