"""What ``edge-agent enroll`` does, in order; nothing is half done when a step fails."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge_agent.enrol import exchange, settings
from edge_agent.enrol.files import DeviceFiles, validity_of
from edge_agent.enrol.request import new_key, request_for
from headrace.errors import UsageError
from headrace.pki.codes import parse_code
from headrace.pki.messages import Application, Issued

DEFAULT_FOLDER = Path("/etc/headrace/tls")


@dataclass(frozen=True, slots=True)
class Done:
    """What came of it; ``written_to`` is the agent.toml, where there is one."""

    issued: Issued
    files: DeviceFiles
    uplink: dict[str, object]
    written_to: Path | None


def enroll(
    address_text: str, code_text: str, *, out: Path | None, config: Path | None, new: bool = False
) -> Done:
    """Enrol this device with a code.

    Args:
        config: an agent.toml to write to; its device's name must be the code's.
        new: make a new key even if there is one.

    Raises:
        HeadraceError: with what to do.
    """
    address, code = exchange.parse_address(address_text), parse_code(code_text)
    device = settings.configured_device(config) if config is not None else ""
    files = _files(out, config)
    site = exchange.fetch_site(address, code)
    if new or not files.key.exists():
        files.keep_key(new_key())
    application = Application(code.secret.hex(), request_for(files.key), device)
    issued = exchange.enrol(address, site, application)
    files.keep(issued)
    return _finish(issued, address, files, config)


def renew(
    address_text: str, *, out: Path | None, config: Path | None, if_due: bool = False
) -> Done | None:
    """Get the next certificate, for a new key, with the present one; that stays good until its end.

    Args:
        if_due: only when less than a third of its life is left, by the gateway's clock; else None.

    Raises:
        HeadraceError: with what to do.
    """
    address, files = exchange.parse_address(address_text), _files(out, config)
    files.settle()
    if not (files.key.exists() and files.certificate.exists()):
        raise UsageError(
            f"there is nothing to renew in {files.folder}",
            hint="enrol with a code first; --out names the folder",
        )
    now_us = exchange.site_time_us(address, files)
    if if_due and not validity_of(files.certificate).is_due(now_us):
        return None
    if not files.next_key.exists():
        files.keep_next_key(new_key())
    issued = exchange.renew(address, files, request_for(files.next_key))
    files.keep_next(issued)
    return _finish(issued, address, files, config)


def _finish(
    issued: Issued, address: exchange.Address, files: DeviceFiles, config: Path | None
) -> Done:
    files.adopt_owner()
    uplink = settings.uplink_settings(issued, address, files)
    if config is not None:
        settings.write_settings(config, issued.device, uplink)
    return Done(issued, files, uplink, config)


def _files(out: Path | None, config: Path | None) -> DeviceFiles:
    """--out, else tls/ beside agent.toml, else /etc/headrace/tls."""
    if out is not None:
        return DeviceFiles(out)
    return DeviceFiles(config.parent / "tls" if config is not None else DEFAULT_FOLDER)
