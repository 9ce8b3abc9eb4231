"""``gateway models``: what runs here, and what to do about it. Works while the gateway runs or not."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from headrace.commands import reports_errors
from headrace.errors import HeadraceError, UsageError
from headrace.words import when

if TYPE_CHECKING:
    from gateway.config import GatewayConfig
    from headrace.models.requests import Request

#: Seconds that a command waits for a running gateway to take a request.
_TAKEN_S: Final = 5.0

config_option = click.option(
    "-c",
    "--config",
    "config_path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("/etc/headrace/gateway.toml"),
    show_default=True,
    help="The gateway's configuration.",
)


@click.group()
def models() -> None:
    """Look at models and roll them back. Safe while the gateway runs.

    \b
    Example:
      gateway models status
      gateway models rollback pump --reason "false alarms at night"
    """


@models.command("list")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
@reports_errors
def list_models(config_path: Path, as_json: bool) -> None:
    """List the models here. The version that runs, the one on its way, what was refused.

    \b
    Example:
      gateway models list --config gateway.toml
    """
    rows = _rows(_folder(config_path))
    if as_json:
        click.echo(msgspec.json.encode(rows))
        return
    for row in rows:
        click.echo(_line(row))
    if not rows:
        click.echo("no model of the repository was assigned to this site yet")


@models.command("status")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
@reports_errors
def status(config_path: Path, as_json: bool) -> None:
    """Show what list shows, and every refusal with its reason. Also the last look at the repository.

    \b
    Example:
      gateway models status --config gateway.toml --json
    """
    from headrace.models.place import read_look
    from headrace.models.store import read_slots

    folder = _folder(config_path)
    look, slots = read_look(folder), read_slots(folder / "slots")
    if as_json:
        found = {"repository": look, "models": _rows(folder), "refused": {s.name: s.refused for s in slots}}  # fmt: skip
        click.echo(msgspec.json.encode(found))
        return
    seen = when(look.at) if look.at else "never"
    click.echo(f"repository: last look {seen}, {look.error or f'serial {look.serial}'}")
    for slot, row in zip(slots, _rows(folder), strict=True):
        click.echo(_line(row))
        for refused in slot.refused:
            click.echo(f"    {when(refused.at)}  version {refused.version}: {refused.reason}")


@models.command("rollback")
@config_option
@click.argument("name")
@click.option("--reason", default="asked for by hand", show_default=True, help="For the record.")
@reports_errors
def rollback(config_path: Path, name: str, reason: str) -> None:
    """Go back to the last good version of a model. The one that runs is not tried again.

    While a version is in shadow it is that one that is given up.

    \b
    Example:
      gateway models rollback pump --reason "wrong on pump-3"
    """
    from headrace.models.requests import Request

    folder = _folder(config_path)
    _known(folder, name)
    _ask(folder, Request(verb="rollback", model=name, reason=reason))


@models.command("retry")
@config_option
@click.argument("name")
@click.argument("version", type=int)
@reports_errors
def retry(config_path: Path, name: str, version: int) -> None:
    """Forget that a version was refused. It is tried again while the repository assigns it.

    \b
    Example:
      gateway models retry pump 4
    """
    from headrace.models.requests import Request

    folder = _folder(config_path)
    _known(folder, name)
    _ask(folder, Request(verb="retry", model=name, version=version))


@models.command("check")
@config_option
@reports_errors
def check(config_path: Path) -> None:
    """Have the gateway look at the repository now.

    \b
    Example:
      gateway models check --config gateway.toml
    """
    from headrace.models.requests import Request

    _ask(_folder(config_path), Request(verb="check"))


def _folder(config_path: Path) -> Path:
    from gateway.config import load_config

    config: GatewayConfig = load_config(config_path)
    if not config.model_repository.enabled:
        raise UsageError(
            f"{config_path} has no [model_repository]", hint="docs/how-to/models.md shows one"
        )
    return config.models_path


def _rows(folder: Path) -> list[dict[str, Any]]:
    from headrace.models.reports import row
    from headrace.models.store import read_slots

    return [row(slot) for slot in read_slots(folder / "slots")]


def _known(folder: Path, name: str) -> None:
    names = [row["model"] for row in _rows(folder)]
    if name not in names:
        raise UsageError(f"no model {name!r} here; known: {', '.join(names) or 'none yet'}")


def _ask(folder: Path, request: Request) -> None:
    """Leave the request and wait until a running gateway has taken it.

    Raises:
        HeadraceError: nobody took it; it will be done when the gateway runs.
    """
    from headrace.models.requests import ask

    path = ask(folder / "requests", request)
    deadline = time.monotonic() + _TAKEN_S
    while path.exists():
        if time.monotonic() > deadline:
            raise HeadraceError(
                f"no gateway took the request within {_TAKEN_S:g} s",
                hint="it is done when the gateway is started",
            )
        time.sleep(0.05)
    click.echo("done")


def _line(row: dict[str, Any]) -> str:
    active = f"version {row['active']} ({row['state']})" if row["active"] else "nothing runs"
    parts = [f"{row['model']:<20}", active]
    if row["candidate"]:
        parts.append(f"version {row['candidate']} {row['phase']}")
    if row["last_refused"]:
        parts.append(f"version {row['last_refused']} refused: {row['reason']}")
    return "  ".join(parts)
