"""What the ``gateway`` command's parts share: --config, --json, and reading the configuration late."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from gateway.config import GatewayConfig

DEFAULT_CONFIG: Final = Path("/etc/headrace/gateway.toml")

config_option = click.option(
    "-c",
    "--config",
    "config_path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=DEFAULT_CONFIG,
    show_default=True,
    help="The gateway's configuration.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")


def load(path: Path) -> GatewayConfig:
    """The configuration; imported here, because it takes longer than --help should."""
    from gateway.config import load_config

    return load_config(path)
