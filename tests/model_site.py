"""Sites that take their models from a signed repository: a gateway with a device, an agent alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from headrace import codecs
from headrace.codecs import arrow
from headrace.journal import JournalReader
from headrace.models.machine import Slot
from headrace.models.store import read_slots
from tests.devices import Device
from tests.gateway_entries import rows
from tests.model_repository import Repository
from tests.programs import Gateway, Program, Programs, make_gateway
from tests.servers import wait_until

TOML = """
[model_repository]
source = "{source}"
root = "{root}"
poll_interval_s = {poll_interval_s}
shadow_s = {shadow_s}
probation_s = {probation_s}
inputs_wait_s = 2
call_timeout_s = 1
labels = {{ ring = "canary" }}
[model_repository.gates]
min_rows = 5
[[model_repository.models]]
name = "m"
[[rules]]
name = "bad"
kind = "score"
model = "m"
"""

MIRROR = """
[model_repository.mirror]
port = {port}
certfile = "{cert}"
keyfile = "{key}"
"""


class Site:
    """A gateway that takes its models from a repository, and one device."""

    def __init__(
        self, programs, folder, *, poll_interval_s: float = 1, mirror: int = 0, tls=None,
        shadow_s: float = 0.5, probation_s: float = 1, console: bool = False,
    ) -> None:  # fmt: skip
        self.repository = Repository(folder)
        self.mirror = mirror
        toml = TOML.format(
            source=self.repository.folder, root=self.repository.root, poll_interval_s=poll_interval_s,
            shadow_s=shadow_s, probation_s=probation_s,
        )  # fmt: skip
        if tls is not None:
            self.token = self.repository.root.with_name("nudge.token")
            self.token.write_text("0123456789abcdef0123456789abcdef")
            toml = toml.replace("labels =", f'nudge_token_file = "{self.token}"\nlabels =')
            toml += MIRROR.format(port=mirror, cert=tls.certificate, key=tls.key)
        self.gateway: Gateway = make_gateway(programs, extra=[toml], console=console)
        self.seq = 1
        self.time = 1_750_000_000_000_000

    def start(self) -> None:
        self.gateway.start()
        self.gateway.wait_ready()
        self.device = Device("d1", self.gateway.mqtt_port)

    def send(self, a: float, count: int = 5) -> None:
        """Readings of a and b, one row a second of their own time, acknowledged when this returns."""
        times = [self.time + number * 1_000_000 for number in range(count) for _ in "ab"]
        self.time = times[-1] + 1_000_000
        batch = rows(["a", "b"] * count, times, [a, 2.0] * count)
        before = self.device.acked
        self.device.publish(arrow.encode(batch, stream="0123456789abcdef", first_seq=self.seq))
        self.seq += batch.num_rows
        self.device.wait_acked(before + batch.num_rows)

    def slot(self) -> dict[str, Any]:
        found = [row for row in self.gateway.get("api/v1/models") if row["model"] == "m"]
        return found[0] if found else {"active": None, "candidate": None, "reason": ""}

    def until(self, what: str, a: float = 1.0, **wanted: object) -> dict[str, Any]:
        """Send readings until the slot is as wanted."""

        def reached() -> bool:
            self.send(a)
            slot = self.slot()
            return all(slot.get(key) == value for key, value in wanted.items())

        wait_until(reached, 30, f"{what}: {wanted}; it is {self.slot()}")
        return self.slot()

    def events(self) -> list[tuple[int, str, str]]:
        """(version, state, reason) as journalled."""
        found = []
        with JournalReader(self.gateway.journal) as reader:
            for row in reader.read(0, max_rows=1_000_000, max_bytes=1 << 26):
                batch = codecs.decode(row.format, row.payload, row.received_at).rows
                texts = [one["text"] for one in batch.to_pylist() if one["name"] == "model/m/event"]
                found += [json.loads(text) for text in texts]
        return [(one["version"], one["state"], one["reason"]) for one in found]

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "gateway", "models", *words, "-c", str(self.gateway.program.config)]  # fmt: skip
        return subprocess.run(argv, capture_output=True, text=True, timeout=30)


AGENT = """
device = "{device}"
[buffer]
path = "{folder}/buffer.db"
loss_window_s = 0.2
[uplink]
port = {port}
ack_timeout_s = 2
state_interval_s = 1
{models}
[[inputs]]
plugin = "replay"
path = "{folder}/recording.csv"
time_format = "epoch_s"
interval_s = 0.1
speed = {speed}
"""

AGENT_MODELS = """
[models]
source = "{source}"
root = "{root}"
folder = "{folder}/models"
interval_s = 0.2
poll_interval_s = {poll_interval_s}
shadow_s = {shadow_s}
probation_s = {probation_s}
[models.gates]
min_rows = 5
"""

#: Rows a second of the agent's recording, whose rows are a second apart.
SPEED = 20.0


class AgentSite:
    """An agent on a recording of the features a and b, 1 and 2 in every row.

    It runs models, unless ``source`` is empty.
    """

    def __init__(
        self, programs: Programs, folder: Path, *, port: int, source: str, root: Path,
        device: str = "d1", poll_interval_s: float = 1, shadow_s: float = 0.5, probation_s: float = 1,
        rows: int = 3_600,
    ) -> None:  # fmt: skip
        folder.mkdir(parents=True)
        self.folder = folder
        self.rows = rows
        times = (1_750_000_000 + number for number in range(rows))
        lines = "".join(f"{time},1.0,2.0\n" for time in times)
        (folder / "recording.csv").write_text("time,a,b\n" + lines)
        models = AGENT_MODELS.format(
            folder=folder, source=source, root=root,
            poll_interval_s=poll_interval_s, shadow_s=shadow_s, probation_s=probation_s,
        )  # fmt: skip
        config = AGENT.format(
            device=device, folder=folder, port=port, speed=SPEED, models=models if source else ""
        )
        self.program: Program = programs.make("edge_agent", config, name=f"agent-{device}")

    def slot(self) -> Slot:
        """As it is on disk."""
        found = read_slots(self.folder / "models" / "slots")
        return found[0] if found else Slot("m")

    def until(self, what: str, **wanted: object) -> Slot:
        """Wait until the slot is as wanted; gives it as it was seen."""
        seen: list[Slot] = []

        def reached() -> bool:
            assert self.program.running, self.program.output()[-3000:]
            seen.append(self.slot())
            return all(getattr(seen[-1], key) == value for key, value in wanted.items())

        wait_until(reached, 40, f"{what}: {wanted}")
        return seen[-1]
