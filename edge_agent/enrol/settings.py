"""What enrolment writes into agent.toml: the device's name and the keys of [uplink].

The rest of the file, comments included, stays as it is. The edit goes by lines, and is believed only
when the file reads afterwards as it should; otherwise nothing is written.
"""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any

from edge_agent.enrol.exchange import Address
from edge_agent.enrol.files import DeviceFiles
from headrace.errors import StorageError, UsageError
from headrace.pki.messages import Issued
from headrace.topics import DEFAULT_ROOT

#: What `edge-agent sample-config` writes: nobody's name yet.
PLACEHOLDER = "my-device"


def uplink_settings(issued: Issued, asked: Address, files: DeviceFiles) -> dict[str, Any]:
    """The keys of [uplink] that connect this device."""
    found: dict[str, Any] = {
        "host": issued.broker_host or asked.host,
        "port": issued.broker_port,
        "tls": True,
        "ca": str(files.ca.absolute()),
        "cert": str(files.certificate.absolute()),
        "key": str(files.key.absolute()),
        "renew_from": f"https://{asked}",
    }
    if issued.topic_root != DEFAULT_ROOT:
        found["topic_root"] = issued.topic_root
    return found


def as_toml(device: str, uplink: dict[str, Any]) -> str:
    """What to paste into agent.toml."""
    return "\n".join([f"device = {_value(device)}", "", "[uplink]", *_lines(uplink)])


def configured_device(path: Path) -> str:
    """The device's name in agent.toml; empty when there is none yet.

    Raises:
        UsageError: it is not TOML.
    """
    found = str(_parse(path, _read(path)).get("device", ""))
    return "" if found == PLACEHOLDER else found


def write_settings(path: Path, device: str, uplink: dict[str, Any]) -> None:
    """Put name and uplink into agent.toml.

    Raises:
        UsageError: the file is laid out so that the edit would not come out right.
        StorageError: it cannot be written.
    """
    text = _read(path)
    edited = _edit(text, device, uplink)
    before = _parse(path, text)
    expected = {**before, "device": device, "uplink": {**before.get("uplink", {}), **uplink}}
    try:
        sound = tomllib.loads(edited) == expected
    except tomllib.TOMLDecodeError:
        sound = False
    if not sound:
        raise UsageError(
            f"{path} is laid out in a way that cannot be edited safely; it was left alone",
            hint="paste this into it:\n\n" + as_toml(device, uplink),
        )
    part = path.with_name(path.name + ".part")
    try:
        before_us = path.stat()
        part.write_text(edited, encoding="utf-8")
        part.chmod(before_us.st_mode & 0o777)
        if os.geteuid() == 0:
            os.chown(part, before_us.st_uid, before_us.st_gid)
        part.replace(path)
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error}") from error


def _edit(text: str, device: str, uplink: dict[str, Any]) -> str:
    lines = text.splitlines()
    table = [index for index, line in enumerate(lines) if re.match(r"\s*\[", line)]
    head = lines[: table[0]] if table else lines
    rest = lines[len(head) :]
    head = [line for line in head if not _sets(line, ("device",))]
    own = next((i for i, line in enumerate(rest) if re.match(r"\s*\[uplink\]", line)), None)
    if own is None:
        rest += ["", "[uplink]", *_lines(uplink)]
    else:
        end = next((i for i in range(own + 1, len(rest)) if re.match(r"\s*\[", rest[i])), len(rest))
        kept = [line for line in rest[own + 1 : end] if not _sets(line, tuple(uplink))]
        rest = [*rest[: own + 1], *_lines(uplink), *kept, *rest[end:]]
    return "\n".join([*_insert_device(head, device), *rest]) + "\n"


def _insert_device(head: list[str], device: str) -> list[str]:
    """At the top of the file, behind its first comment."""
    at = next((i for i, line in enumerate(head) if not line.startswith("#")), len(head))
    return [*head[:at], f"device = {_value(device)}", *head[at:]]


def _sets(line: str, keys: tuple[str, ...]) -> bool:
    found = re.match(r"\s*([A-Za-z_]+)\s*=", line)
    return found is not None and found[1] in keys


def _lines(table: dict[str, Any]) -> list[str]:
    return [f"{key} = {_value(value)}" for key, value in table.items()]


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise UsageError(
            f"no such file: {path}", hint=f"edge-agent sample-config --input host > {path}"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(f"{path} cannot be read: {error}") from error


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not valid TOML: {error}") from error
