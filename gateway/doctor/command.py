"""``gateway doctor``."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec

from gateway.commands.options import config_option, json_option
from headrace.clock import SystemClock
from headrace.commands import reports_errors


@click.command()
@config_option
@json_option
@reports_errors
def doctor(config_path: Path, as_json: bool) -> None:
    """Check all that the gateway needs, and say what to do. Exit status 1 if anything fails.

    Run it as the gateway's user, before the first start or while it runs: it changes nothing.

    \b
    Example:
      gateway doctor --config gateway.toml
    """
    from gateway.doctor.examine import examine
    from gateway.doctor.finding import lines

    findings = list(examine(config_path, SystemClock().now_us()))
    click.echo(msgspec.json.encode(findings) if as_json else "\n".join(lines(findings)))
    sys.exit(1 if any(each.level == "FAIL" for each in findings) else 0)
