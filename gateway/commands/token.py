"""``gateway token``: who may send readings by HTTP. Works while the gateway runs or not."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import msgspec

from gateway.commands.options import config_option, json_option, load
from headrace.commands import reports_errors
from headrace.errors import UsageError
from headrace.words import instant

if TYPE_CHECKING:
    from gateway.api.tokens import Token

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@click.group()
def token() -> None:
    """Say who may send readings by HTTP. A running gateway notices by itself.

    \b
    Example:
      gateway token add pump-7
      gateway token add "line-*" --expires 90d
      gateway token revoke pump-7
    """


@token.command("add")
@click.argument("devices")
@config_option
@click.option("--expires", help="How long it is good: 12h, 90d. Without: until it is revoked.")
@json_option
@reports_errors
def add_token(devices: str, config_path: Path, expires: str | None, as_json: bool) -> None:
    """Print a new token for DEVICES. One device, or a pattern with * and ? for many.

    The token is shown this once; what is kept cannot be sent.

    \b
    Example:
      gateway token add pump-7
      gateway token add "line-*" --expires 90d
    """
    from gateway.api import tokens

    valid_s = _duration_s(expires) if expires is not None else None
    made, secret = tokens.add(_path(config_path), devices, now_us=_now_us(), valid_s=valid_s)
    if as_json:
        click.echo(msgspec.json.encode({**_row(made), "token": secret}))
    else:
        click.echo(secret)


@token.command("ls")
@config_option
@json_option
@reports_errors
def list_tokens(config_path: Path, as_json: bool) -> None:
    """List tokens: id, devices, until when; never the secrets.

    \b
    Example:
      gateway token ls --config gateway.toml
    """
    from gateway.api import tokens

    found = tokens.read(_path(config_path))
    if as_json:
        click.echo(msgspec.json.encode([_row(each) for each in found]))
        return
    for each in found:
        until = "until revoked" if each.expires_at is None else f"until {instant(each.expires_at)}"
        state = "" if each.is_good(_now_us()) else "  expired"
        click.echo(f"{each.id}  {each.devices:<24}  {until}{state}")
    if not found:
        click.echo("no tokens: nobody may send readings by HTTP")


@token.command("revoke")
@click.argument("which")
@config_option
@reports_errors
def revoke_token(which: str, config_path: Path) -> None:
    """Revoke a token by its id, or all of a device or pattern.

    A running gateway refuses it from the next request on.

    \b
    Example:
      gateway token revoke 5f2a91c0
      gateway token revoke "line-*"
    """
    from gateway.api import tokens

    gone = tokens.revoke(_path(config_path), which)
    if not gone:
        raise UsageError(f"no token {which!r}", hint="see `gateway token ls`")
    click.echo(f"revoked {len(gone)}")


def _duration_s(text: str) -> int:
    match = re.fullmatch(r"(\d{1,6})([smhd])", text)
    seconds = int(match[1]) * _UNITS[match[2]] if match else 0
    if not seconds:
        raise UsageError(f"--expires: expected a time like 12h or 90d, got {text!r}")
    return seconds


def _path(config_path: Path) -> Path:
    from gateway.api.tokens import token_path

    return token_path(load(config_path).data_dir)


def _row(token_: Token) -> dict[str, object]:
    return {
        "id": token_.id,
        "devices": token_.devices,
        "created": instant(token_.created_at),
        "expires": None if token_.expires_at is None else instant(token_.expires_at),
    }


def _now_us() -> int:
    return time.time_ns() // 1_000
