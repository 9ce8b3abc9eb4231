"""The commands about devices and their certificates: enroll, devices, revoke, mosquitto-config.

They work on the same files as the running gateway, which notices by itself; nothing has to be
restarted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from headrace.commands import reports_errors
from headrace.errors import UsageError
from headrace.limits.enrolment import CERTIFICATE_WARN_DAYS, ENROL_CODE_MAX_VALID_S

if TYPE_CHECKING:
    from gateway.config import GatewayConfig
    from gateway.enrol.registry import Entry
    from gateway.enrol.site import SitePki

DEFAULT_CONFIG = Path("/etc/headrace/gateway.toml")
_DAY_US = 24 * 3600 * 1_000_000
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

config_option = click.option(
    "-c", "--config", "config_path", type=click.Path(path_type=Path, dir_okay=False),
    default=DEFAULT_CONFIG, show_default=True, help="The gateway's configuration.",
)  # fmt: skip
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")


@click.command()
@click.argument("device")
@config_option
@click.option("--valid", default="15m", show_default=True, help="How long: 90s, 15m, 2h, 1d.")
@click.option(
    "--replace", is_flag=True, help="The new device takes the place of the one so called."
)
@json_option
@reports_errors
def enroll(device: str, config_path: Path, valid: str, replace: bool, as_json: bool) -> None:
    """Print a one-time code for DEVICE to get its certificate.

    \b
    Example:
      gateway enroll pump-7
      gateway enroll pump-7 --valid 2h --replace
    """
    seconds = _duration_s(valid)
    with _site(config_path) as (config, site):
        if not config.enrol.enabled:
            raise UsageError(
                "this gateway takes no enrolments",
                hint="write enabled = true under [enrol] in its configuration and restart it",
            )
        code = site.desk.open_code(device, valid_s=seconds, replace_key=replace)
        taken = not replace and _state(site, site.registry.entries_of(device)) == "enrolled"
        url = f"https://{site.public_name}:{config.enrol.public_port or config.enrol.port}"
    if as_json:
        answer = {"device": device, "code": str(code), "url": url, "valid_s": seconds}
        click.echo(msgspec.json.encode(answer))
        return
    click.echo(f"{code}\n\nFor {device}, once, within {valid}. On the device:\n")
    click.echo(f"  edge-agent enroll {url} {code}")
    if taken:
        click.echo(
            f"\n{device} is enrolled already: this code serves the same key only. For a new device "
            "in its place, use --replace.",
            err=True,
        )


@click.command()
@config_option
@json_option
@reports_errors
def devices(config_path: Path, as_json: bool) -> None:
    """List devices that have or had a certificate. Each is enrolled, revoked or expired.

    \b
    Example:
      gateway devices --json
    """
    with _site(config_path) as (_, site):
        rows = [_row(site, found) for found in _by_device(site.entries()).values()]
    if as_json:
        click.echo(msgspec.json.encode(rows))
        return
    for row in rows:
        ends = row["state"] == "enrolled" and row["days"] < CERTIFICATE_WARN_DAYS
        note = f"  in {row['days']:.0f} days, and not renewed" if ends else ""
        click.echo(f"{row['device']:<32} {row['state']:<9} until {row['expires']}{note}")
    if not rows:
        click.echo("no device is enrolled; `gateway enroll DEVICE` invites one")


@click.command()
@click.argument("device")
@config_option
@reports_errors
def revoke(device: str, config_path: Path) -> None:
    """Cut DEVICE off. Its certificates and open codes are void at once.

    \b
    Example:
      gateway revoke pump-7
    """
    with _site(config_path) as (_, site):
        if not (site.registry.entries_of(device) or site.registry.invites(device)):
            raise UsageError(f"{device} was never enrolled here", hint="see `gateway devices`")
        count = site.revoke(device)
    click.echo(f"{device}: {count} certificate{'s' if count != 1 else ''} revoked")


@click.command("mosquitto-config")
@config_option
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, file_okay=False),
    help="Folder for mosquitto's configuration, certificate, ACL and revocation list.",
)  # fmt: skip
@click.option("--port", default=8883, show_default=True, type=click.IntRange(1, 65535))
@click.option("--bind", default="", help="Listen on this address only.")
@click.option(
    "--data", type=click.Path(path_type=Path, file_okay=False), default=Path("/var/lib/mosquitto"),
    show_default=True, help="Where mosquitto keeps messages.",
)  # fmt: skip
@click.option(
    "--files-only", is_flag=True,
    help="No configuration, for a mosquitto that has the one of deploy/mosquitto.",
)  # fmt: skip
@reports_errors
def mosquitto_config(
    config_path: Path, out: Path, port: int, bind: str, data: Path, files_only: bool
) -> None:
    """Write what mosquitto needs to know of enrolled devices. Nobody else is let in.

    \b
    Example:
      gateway mosquitto-config --out /etc/mosquitto/headrace
    """
    from gateway.enrol import mosquitto

    with _site(config_path) as (config, site):
        site.write_files(out)
        if not files_only:
            mosquitto.write_config(
                out, port=port, bind=bind, data=data, by_password=config.broker.auth == "password"
            )
        known = config.enrol.mosquitto_dir
    click.echo(f"wrote {out if files_only else out / mosquitto.CONFIG_FILE}")
    if known is None or known.resolve() != out.resolve():
        click.echo(
            "so that revocations reach it, add to the gateway's configuration:\n\n"
            f'[enrol]\nmosquitto_dir = "{out.resolve()}"',
            err=True,
        )


@click.command()
@click.argument("device")
@config_option
@click.option(
    "--file", "path", type=click.Path(path_type=Path, dir_okay=False),
    help="Password file; default: the broker's.",
)  # fmt: skip
@click.option("--remove", is_flag=True, help="Take the password away: the device is cut off.")
@reports_errors
def password(device: str, config_path: Path, path: Path | None, remove: bool) -> None:
    """Make a password for DEVICE and print it once. Its hash is kept.

    For clients that cannot have certificates, with auth = "password". mosquitto reads the same file.

    \b
    Example:
      gateway password pump-7
      gateway password pump-7 --file /etc/mosquitto/headrace/passwords
    """
    from gateway.broker.passwords import new_password, write_user
    from gateway.config import load_config

    config = load_config(config_path)
    word = None if remove else new_password()
    write_user(path or _password_file(config), device, word)
    if config.broker.kind == "external" and path is None:
        with _site(config_path) as (_, site):
            site.publish()
    click.echo(word if word is not None else f"{device} has no password any more")


COMMANDS = (enroll, devices, revoke, mosquitto_config, password)


def _password_file(config: GatewayConfig) -> Path:
    """Where the users are; an external broker's own `password_file` is the gateway's secret, not that."""
    from gateway.enrol.mosquitto import PASSWORDS_FILE

    if config.broker.auth == "password" and config.broker.kind == "external":
        if config.enrol.mosquitto_dir is not None:
            return config.enrol.mosquitto_dir / PASSWORDS_FILE
    elif config.broker.password_file is not None:
        return config.broker.password_file
    raise UsageError(
        "there is no password file",
        hint='set broker.password_file and auth = "password"; with mosquitto, enrol.mosquitto_dir too',
    )


@contextmanager
def _site(config_path: Path) -> Iterator[tuple[GatewayConfig, SitePki]]:
    from gateway.config import load_config
    from gateway.enrolment import open_site
    from headrace.clock import SystemClock

    config = load_config(config_path)
    site = open_site(config, SystemClock())
    try:
        yield config, site
    finally:
        site.close()


def _duration_s(text: str) -> int:
    match = re.fullmatch(r"(\d{1,6})([smhd])", text)
    seconds = int(match[1]) * _UNITS[match[2]] if match else 0
    if not 0 < seconds <= ENROL_CODE_MAX_VALID_S:
        raise UsageError(
            f"--valid: expected a time up to {ENROL_CODE_MAX_VALID_S // 86400}d like 15m or 2h, got {text!r}"
        )
    return seconds


def _by_device(entries: list[Entry]) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        found.setdefault(entry.device, []).append(entry)
    return found


def _row(site: SitePki, entries: list[Entry]) -> dict[str, Any]:
    last = max(entries, key=lambda entry: entry.expires_at)
    revoked = [entry.revoked_at for entry in entries if entry.revoked_at is not None]
    state = _state(site, entries)
    return {
        "device": last.device,
        "state": state,
        "enrolled": _iso(entries[0].issued_at),
        "expires": _iso(last.expires_at),
        "days": round((last.expires_at - site.now_us()) / _DAY_US, 1),
        "revoked": _iso(max(revoked)) if state == "revoked" else None,
        "serials": [f"{entry.serial:x}" for entry in entries if entry.revoked_at is None],
    }


def _state(site: SitePki, entries: list[Entry]) -> str:
    good = [entry for entry in entries if entry.revoked_at is None]
    if not good:
        return "revoked" if entries else "unknown"
    return "enrolled" if any(entry.expires_at > site.now_us() for entry in good) else "expired"


def _iso(microseconds: int) -> str:
    return datetime.fromtimestamp(microseconds // 1_000_000, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
