"""Certificates that end, and files with passwords that others may read."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from cryptography import x509

from gateway.config import GatewayConfig, build_sinks
from gateway.doctor.finding import Finding, fail, ok, warn

#: Days that are enough to notice and renew.
_SOON: Final = 30

_CERTIFICATES: Final = ("certfile", "cafile")
_SECRETS: Final = ("keyfile", "password_file", "token_file", "url_file", "nudge_token_file")


def check(config: GatewayConfig, now_us: int) -> Iterator[Finding]:
    """Every certificate and secret that the configuration names."""
    named = dict(_named(config, ""))
    for name, _, settings in build_sinks(config):
        named |= dict(_named(settings, f"sinks {name}"))
    now = datetime.fromtimestamp(now_us / 1e6, UTC)
    for key, path in named.items():
        what = key.rpartition(".")[2]
        if what in _CERTIFICATES:
            yield _certificate(key, path, now)
        elif what in _SECRETS:
            yield from _secret(key, path)


def _named(value: Any, key: str) -> Iterator[tuple[str, Path]]:
    if not is_dataclass(value):
        return
    for field in fields(value):
        inner = getattr(value, field.name)
        name = f"{key}.{field.name}".lstrip(".")
        if isinstance(inner, Path):
            yield name, inner
        elif isinstance(inner, tuple):
            for index, each in enumerate(inner):
                yield from _named(each, f"{name}[{index}]")
        else:
            yield from _named(inner, name)


def _certificate(key: str, path: Path, now: datetime) -> Finding:
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        return fail(
            "certificate", f"{key} {path}: {error}", "name a PEM file that this user may read"
        )
    days = min((each.not_valid_after_utc - now).days for each in found)
    said = f"{key} {path}: {days} days left"
    if days < 0:
        return fail("certificate", said, "renew it: nobody connects any more")
    return ok("certificate", said) if days >= _SOON else warn("certificate", said, "renew it")


def _secret(key: str, path: Path) -> Iterator[Finding]:
    try:
        mode = path.stat().st_mode
        path.open("rb").close()
    except OSError as error:
        yield fail("secret", f"{key} {path}: {error.strerror}", "give it to the gateway's user")
        return
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        yield warn("secret", f"{key} {path}: everybody may read it", f"chmod 640 {path}")
    else:
        yield ok("secret", f"{key} {path}")
