"""Who takes part in the story of the models.

Two sites with a gateway and two pumps each; ``north`` is the canary. Pumps that have the extra
``agent-inference`` run models themselves, from their gateway's mirror; the last one of the south does
not have it, and its gateway scores its readings. Nobody looks at the repository by himself within
the story: gateways are nudged by the publisher, devices by their gateway.
"""

from __future__ import annotations

import secrets
import sys
from dataclasses import dataclass
from pathlib import Path

from headrace.demo import models_files
from headrace.demo.plan import Program, make_folders, port_near, write

_PLAIN = "south-pump-2"


@dataclass(frozen=True, slots=True)
class Site:
    """One gateway and its pumps."""

    name: str
    canary: bool
    mqtt: int
    http: int
    mirror: int
    gateway: Program
    pumps: tuple[str, ...]

    @property
    def thinking(self) -> tuple[str, ...]:
        """The pumps that run models themselves."""
        return tuple(pump for pump in self.pumps if pump != _PLAIN)

    @property
    def url(self) -> str:
        """Where the gateway is nudged."""
        return f"http://127.0.0.1:{self.http}"


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

    @property
    def token(self) -> Path:
        """Who has it may nudge."""
        return self.data / "keys-of-sites" / "nudge.token"

    def recording(self, name: str) -> Path:
        return self.data / "recordings" / f"{name}.csv"

    def cloud_sync(self, site: Site) -> Path:
        return self.data / f"cloud_sync-{site.name}.toml"

    def slots(self, site: Site) -> Path:
        """Where a gateway keeps the state of its models."""
        return self.data / site.name / "models" / "slots"

    def history(self, site: Site, pump: str) -> Program:
        """An agent that hands yesterday over, as fast as it goes, and ends."""
        program = self._agent(site, pump, models_files.replay(self.recording(pump), live=False))
        return Program(pump, (*program.argv, "--exit-when-done"), program.log)

    def agent(self, site: Site, pump: str, time_of_day: str) -> Program:
        """An agent, by night or by day; its buffer and models stay the same."""
        inputs = models_files.replay(self.recording(time_of_day), live=True)
        if pump in site.thinking:
            folder = self.data / "agents" / pump / "models"
            inputs += models_files.agent_models(folder, self.keys / "root.json", site.mirror)
        return self._agent(site, pump, inputs)

    def _agent(self, site: Site, pump: str, tables: str) -> Program:
        path = self.data / "agents" / f"{pump}.toml"
        buffer = self.data / "agents" / pump / "buffer.db"
        write(path, models_files.agent(pump, buffer, site.mqtt) + tables)
        return _program(self.data, pump, "edge_agent", path)


def make_models_plan(data: Path) -> ModelsPlan:
    """Write the configuration of gateways and their cloud_sync below ``data``."""
    make_folders(data, "agents", "logs", "recordings", "keys-of-sites")
    taken: list[int] = []
    plan = ModelsPlan(data, (_site(data, "north", taken), _site(data, "south", taken)))
    write(plan.token, secrets.token_hex(16))
    for site in plan.sites:
        text = models_files.gateway(data, site.name, site.canary, site.mqtt, site.http, site.mirror)
        write(data / f"{site.name}.toml", text + f'nudge_token_file = "{plan.token}"\n')
        # One process registers for a lake, so the south only lands.
        write(plan.cloud_sync(site), models_files.cloud_sync(data, site.name, site.canary))
    return plan


def _site(data: Path, name: str, taken: list[int]) -> Site:
    for wanted in (1883, 8080, 8443):
        port = port_near(wanted)
        while port in taken:
            port = port_near(0)
        taken.append(port)
    mqtt, http, mirror = taken[-3:]
    program = _program(data, name, "gateway", data / f"{name}.toml")
    pumps = tuple(f"{name}-pump-{number}" for number in (1, 2))
    return Site(name, name == "north", mqtt, http, mirror, program, pumps)


def _program(data: Path, name: str, module: str, config: Path) -> Program:
    argv = (sys.executable, "-m", module, "run", "--config", str(config))
    return Program(name, argv, data / "logs" / f"{name}.log")
