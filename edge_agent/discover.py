"""What can be measured on this machine: ``edge-agent discover``.

Each finding is one series with its value now, found by the code of the input that would read it: what
is shown is what would be sent. Serial ports are shown too; what hangs on them nobody can know, so
their part of the configuration is a comment to fill in.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_agent.inputs.host.input import HostInput, HostSettings
from edge_agent.inputs.hwmon.input import KINDS, HwmonSettings
from edge_agent.inputs.hwmon.input import scan as scan_hwmon
from edge_agent.inputs.iio.input import IioSettings
from edge_agent.inputs.iio.input import scan as scan_iio
from edge_agent.inputs.sysfs import SYSFS, Channel
from edge_agent.inputs.w1.input import text_of, thermometers
from edge_agent.inputs.w1.sensor import temperature
from headrace.clock import SystemClock

DEV: Final = Path("/dev")

#: Names that survive a restart first; the others are shown only where they are not the same port.
_SERIAL: Final = ("serial/by-id/*", "ttyUSB*", "ttyACM*", "ttyAMA*")

_HEADER: Final = "# Found by edge-agent discover; edge_agent/inputs/<plugin>/README.md says more."


@dataclass(frozen=True, slots=True)
class Found:
    """One series (or serial port) that this machine offers."""

    plugin: str
    name: str
    value: float | None
    unit: str
    where: str
    problem: str = ""


def find(*, sysfs: Path = SYSFS, dev: Path = DEV) -> list[Found]:
    """Everything that is here, in the order of the inputs."""
    return [
        *_host(),
        *_channels("iio", scan_iio(IioSettings(sysfs=sysfs))),
        *_channels("hwmon", scan_hwmon(HwmonSettings(sysfs=sysfs))),
        *_w1(sysfs),
        *_serial(dev),
    ]


def as_text(found: list[Found]) -> str:
    """For people: a line each, by input."""
    wide = max((len(one.name) for one in found), default=0)
    lines = []
    for plugin in dict.fromkeys(one.plugin for one in found):
        lines.append(plugin)
        for one in (one for one in found if one.plugin == plugin):
            shown = one.problem if one.value is None else f"{one.value:.6g} {one.unit}"
            lines.append(f"  {one.name:<{wide}}  {shown}".rstrip())
    return "\n".join([*lines, "", "edge-agent discover --toml prints this as configuration."])


def as_json(found: list[Found]) -> str:
    """For scripts: a list of objects."""
    rows = [
        {"plugin": one.plugin, "name": one.name, "value": one.value, "unit": one.unit,
         "where": one.where, "problem": one.problem}
        for one in found
    ]  # fmt: skip
    return json.dumps(rows, indent=2)


def as_toml(found: list[Found], *, sysfs: Path = SYSFS) -> str:
    """The ``[[inputs]]`` tables that read it all; valid as a part of agent.toml."""
    parts = [_HEADER]
    root = "" if sysfs == SYSFS else f"sysfs = {json.dumps(str(sysfs))}\n"
    for plugin in ("host", "iio", "hwmon", "w1"):
        own = [one for one in found if one.plugin == plugin]
        # The host input has every temperature of hwmon already.
        if plugin == "hwmon":
            own = [one for one in own if one.unit != "Cel"]
        if own:
            parts.append(_table(plugin, own, "" if plugin == "host" else root))
    ports = [one.name for one in found if one.plugin == "serial"]
    if ports:
        parts.append(_serial_comment(ports))
    return "\n".join(parts)


def _table(plugin: str, own: Iterable[Found], root: str) -> str:
    names = "".join(f"#   {one.name} {one.unit}".rstrip() + "\n" for one in own)
    kinds = [kind for kind in KINDS if kind != "temp"]
    extra = f"kinds = {json.dumps(kinds)}\n" if plugin == "hwmon" else ""
    return f'{names}[[inputs]]\nplugin = "{plugin}"\n{extra}{root}'


def _serial_comment(ports: list[str]) -> str:
    listed = "".join(f"#   {port}\n" for port in ports)
    return (
        f"# Serial ports:\n{listed}# With a Modbus device there (edge-agent sample-config --input modbus):\n"
        f'# [[inputs]]\n# plugin = "modbus"\n# serial = {json.dumps(ports[0])}\n'
        '# [[inputs.registers]]\n# name = "voltage"\n# address = 0\n'
    )


def _host() -> Iterator[Found]:
    source = HostInput(HostSettings())
    source.open(clock=SystemClock(), checkpoint=None)
    for run in source.poll().runs:
        yield Found("host", run.name, float(run.values[0]), run.unit, "")


def _channels(plugin: str, channels: Iterable[Channel]) -> Iterator[Found]:
    for channel in channels:
        value, problem = None, ""
        try:
            value = channel.read()
        except OSError as error:
            problem = f"cannot be read: {error.strerror}"
        except ValueError as error:
            problem = f"expected a number, got: {error}"
        yield Found(plugin, channel.name, value, channel.unit, str(channel.path), problem)


def _w1(sysfs: Path) -> Iterator[Found]:
    for folder in thermometers(sysfs):
        value, problem = None, ""
        try:
            value = temperature(text_of(folder), before=None)
        except (OSError, ValueError) as error:
            problem = str(error)
        yield Found("w1", f"{folder.name}/temperature", value, "Cel", str(folder), problem)


def _serial(dev: Path) -> Iterator[Found]:
    seen: set[Path] = set()
    for pattern in _SERIAL:
        for port in sorted(dev.glob(pattern)):
            if port.resolve() not in seen:
                seen.add(port.resolve())
                yield Found("serial", str(port), None, "", str(port.resolve()), "a serial port")
