"""The configuration files of the story of the models, as they are written for its programs."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from headrace.demo.plan import LOOPBACK

UNITS: Final = {
    "flow": "l/s", "inlet_pressure": "Pa", "outlet_pressure": "Pa", "current": "A", "voltage": "V",
    "vibration": "m/s2", "motor_temperature": "Cel", "speed": "1/min",
}  # fmt: skip

#: Long enough for the sun to rise after a switch, short enough for a story.
PROBATION_S: Final = 12.0

_WRITTEN: Final = "# Written by `headrace demo-models`; each run writes it again.\n"

#: Nobody looks by himself: what happens within the story is nudged.
_TRIAL: Final = f"poll_interval_s = 3600\nshadow_s = 3\nprobation_s = {PROBATION_S:g}\n"


def gateway(data: Path, name: str, canary: bool, mqtt: int, http: int, mirror: int) -> str:
    """One gateway; ends within its table ``model_repository``."""
    labels = 'labels = { ring = "canary" }\n' if canary else ""
    return f"""{_WRITTEN}site = "{name}"
data_dir = "{data / name}"

[broker]
kind = "embedded"
host = "{LOOPBACK}"
port = {mqtt}

[http]
port = {http}
console = false

[[rules]]
name = "pump-anomaly"
kind = "score"
model = "pump"
for_s = 2

[model_repository.gates]
min_rows = 40

[model_repository.mirror]
host = "{LOOPBACK}"
port = {mirror}

[[model_repository.models]]
name = "pump"

[model_repository]
source = "{data / "repository"}"
root = "{data / "keys" / "root.json"}"
{_TRIAL}{labels}"""


def cloud_sync(data: Path, name: str, registers: bool) -> str:
    """What brings one site's readings to the lake of all."""
    return f"""{_WRITTEN}[journal]
path = "{data / name / "journal.db"}"

[lake]
uri = "{data / "lake"}"

[register]
enabled = {str(registers).lower()}
"""


def agent(pump: str, buffer: Path, mqtt: int) -> str:
    """One device; inputs and models follow."""
    return f"""{_WRITTEN}device = "{pump}"

[buffer]
path = "{buffer}"
loss_window_s = 0.2

[uplink]
host = "{LOOPBACK}"
port = {mqtt}
state_interval_s = 2
"""


def replay(recording: Path, *, live: bool) -> str:
    """A recording: as of now and again and again, or once as it was."""
    units = ", ".join(f'{name} = "{unit}"' for name, unit in UNITS.items())
    how = "restamp = true\nloop = true" if live else 'speed = "max"'
    return f"""
[[inputs]]
plugin = "replay"
path = "{recording}"
time_format = "epoch_s"
{how}
units = {{ {units} }}
"""


def agent_models(folder: Path, root: Path, mirror: int) -> str:
    """For a device that runs models itself."""
    return f"""
[models]
source = "http://{LOOPBACK}:{mirror}/models"
root = "{root}"
folder = "{folder}"
{_TRIAL}
[models.gates]
min_rows = 20
"""
