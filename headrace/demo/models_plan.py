"""Who takes part in the story of the models, and their configuration files.

Two sites with a gateway and two pumps each; ``north`` is the canary. The first pump of each site runs
models itself and gets them through its gateway's mirror. Pumps replay recordings of simulated ones,
by night (little demand) or by day, so that the story decides when the sun rises.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from headrace.demo.plan import LOOPBACK, Program, port_near, write

HZ: Final = 8
ROWS: Final = 4_800  # of each recording: ten minutes
SEEDS: Final = (101, 102, 103)
UNITS: Final = {
    "flow": "l/s", "inlet_pressure": "Pa", "outlet_pressure": "Pa", "current": "A", "voltage": "V",
    "vibration": "m/s2", "motor_temperature": "Cel", "speed": "1/min",
}  # fmt: skip

#: Long enough for the sun to rise after a switch, short enough for a story.
PROBATION_S: Final = 12.0

#: Shares of all rows, by speed: what runs slower is night, what runs faster is day.
NIGHT_SHARE: Final = 0.35
DAY_SHARE: Final = 0.35


@dataclass(frozen=True, slots=True)
class Site:
    """One gateway and its pumps; the first pump has models of its own."""

    name: str
    canary: bool
    mqtt: int
    http: int
    mirror: int
    gateway: Program
    pumps: tuple[str, ...]

    @property
    def thinking(self) -> str:
        """The pump that runs models itself."""
        return self.pumps[0]


@dataclass(frozen=True, slots=True)
class ModelsPlan:
    """The folder of the story and its two sites."""

    data: Path
    sites: tuple[Site, Site]

    @property
    def repository(self) -> Path:
        return self.data / "repository"

    @property
    def keys(self) -> Path:
        return self.data / "keys"

    def recording(self, name: str) -> Path:
        return self.data / "recordings" / f"{name}.csv"

    def slots(self, site: Site, pump: str = "") -> Path:
        """Where a gateway, or a pump of it, keeps the state of its models."""
        owner = self.data / "agents" / pump if pump else self.data / site.name
        return owner / "models" / "slots"

    def agent(self, site: Site, pump: str, time_of_day: str) -> Program:
        """One agent, by night or by day; its buffer and models stay the same."""
        path = self.data / "agents" / f"{pump}.toml"
        write(path, _agent_toml(self, site, pump, time_of_day))
        return _program(self.data, pump, "edge_agent", path)


def make_models_plan(data: Path) -> ModelsPlan:
    """Write the gateways' configuration below ``data``."""
    for folder in ("agents", "logs", "recordings"):
        (data / folder).mkdir(parents=True, exist_ok=True)
    taken: list[int] = []
    sites = tuple(_site(data, name, canary, taken) for name, canary in (("north", True), ("south", False)))  # fmt: skip
    return ModelsPlan(data, (sites[0], sites[1]))


def split_recordings(plan: ModelsPlan, recordings: Sequence[Path]) -> None:
    """Write ``all``, ``night`` and ``day`` from recordings: the same rows, chosen by speed."""
    rows = [row for path in recordings for row in _rows(path)]
    speeds = sorted(float(row["speed"]) for row in rows)
    slow, fast = speeds[int(len(rows) * NIGHT_SHARE)], speeds[int(len(rows) * (1 - DAY_SHARE))]
    _write_rows(plan.recording("all"), rows)
    _write_rows(plan.recording("night"), [row for row in rows if float(row["speed"]) < slow])
    _write_rows(plan.recording("day"), [row for row in rows if float(row["speed"]) > fast])


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _write_rows(path: Path, rows: Iterable[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["time", *UNITS])
        writer.writeheader()
        for number, row in enumerate(rows):
            stamp = f"{1_750_000_000 + number / HZ:.6f}"
            writer.writerow({"time": stamp, **{name: row[name] for name in UNITS}})


def _site(data: Path, name: str, canary: bool, taken: list[int]) -> Site:
    for wanted in (1883, 8080, 8443):
        port = port_near(wanted)
        while port in taken:
            port = port_near(0)
        taken.append(port)
    mqtt, http, mirror = taken[-3:]
    path = data / f"{name}.toml"
    write(path, _gateway_toml(data, name, canary, mqtt, http, mirror))
    pumps = tuple(f"{name}-pump-{number}" for number in (1, 2))
    return Site(name, canary, mqtt, http, mirror, _program(data, name, "gateway", path), pumps)


def _program(data: Path, name: str, module: str, config: Path) -> Program:
    argv = (sys.executable, "-m", module, "run", "--config", str(config))
    return Program(name, argv, data / "logs" / f"{name}.log")


def _trial(canary: bool) -> str:
    labels = 'labels = { ring = "canary" }\n' if canary else ""
    return f"poll_interval_s = 1\nshadow_s = 3\nprobation_s = {PROBATION_S:g}\n{labels}"


def _gateway_toml(
    data: Path, name: str, canary: bool, mqtt: int, http: int, mirror: int
) -> str:  # fmt: skip
    return f"""# Written by `headrace demo-models`; each run writes it again.
site = "{name}"
data_dir = "{data / name}"

[broker]
kind = "embedded"
host = "{LOOPBACK}"
port = {mqtt}

[http]
port = {http}
console = false

[model_repository]
source = "{data / "repository"}"
root = "{data / "keys" / "root.json"}"
{_trial(canary)}
[model_repository.gates]
min_rows = 40

[model_repository.mirror]
host = "{LOOPBACK}"
port = {mirror}

[[model_repository.models]]
name = "pump"

[[rules]]
name = "pump-anomaly"
kind = "score"
model = "pump"
for_s = 2
"""


def _agent_toml(plan: ModelsPlan, site: Site, pump: str, time_of_day: str) -> str:
    units = ", ".join(f'{name} = "{unit}"' for name, unit in UNITS.items())
    return f"""# Written by `headrace demo-models`; each run writes it again.
device = "{pump}"

[buffer]
path = "{plan.data / "agents" / pump / "buffer.db"}"
loss_window_s = 0.2

[uplink]
host = "{LOOPBACK}"
port = {site.mqtt}
state_interval_s = 2
{_agent_models(plan, site, pump) if pump == site.thinking else ""}
[[inputs]]
plugin = "replay"
path = "{plan.recording(time_of_day)}"
time_format = "epoch_s"
restamp = true
loop = true
units = {{ {units} }}
"""


def _agent_models(plan: ModelsPlan, site: Site, pump: str) -> str:
    return f"""
[models]
source = "http://{LOOPBACK}:{site.mirror}/models"
root = "{plan.keys / "root.json"}"
folder = "{plan.data / "agents" / pump / "models"}"
{_trial(False)}
[models.gates]
min_rows = 20
"""
