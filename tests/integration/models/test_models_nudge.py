"""A nudge goes from the publisher to the gateway to the device, long before anybody would have looked."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from click.testing import CliRunner

from cloud_sync.cli import main
from headrace.models.nudge import NUDGE_PATH
from headrace.models.place import read_look
from tests import graphs
from tests.model_repository import Repository, packed
from tests.model_site import AgentSite
from tests.programs import Gateway, Programs, make_gateway
from tests.servers import free_port, wait_until
from tests.servers.mosquitto import mosquitto

TOKEN = "0123456789abcdef0123456789abcdef"

#: Nobody looks by itself within a test.
HOUR = 3_600

TOML = """
[model_repository]
source = "{folder}"
root = "{root}"
poll_interval_s = 3600
shadow_s = 0.5
probation_s = 1
nudge_token_file = "{token}"
[model_repository.gates]
min_rows = 5
[model_repository.mirror]
port = {mirror}
"""


@dataclass
class Listener:
    """What is retained or said about models, by topic."""

    port: int
    said: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="listener")
        self.client.on_connect = lambda client, *_: client.subscribe("headrace/v1/+/model/#", 1)
        self.client.on_message = self._on_message
        self.client.connect("127.0.0.1", self.port)
        self.client.loop_start()

    def _on_message(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        with suppress(ValueError):  # a test publishes nonsense
            self.said[message.topic.removeprefix("headrace/v1/")] = json.loads(message.payload)

    def active(self, device: str) -> tuple[str, int | None]:
        """(who runs it, version) as reported of a device."""
        report = self.said.get(f"{device}/model/reported", {})
        models = report.get("models", [])
        return report.get("where", ""), models[0]["active"] if models else None

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@dataclass
class World:
    """A gateway, an agent that runs models itself, one that does not, and somebody who listens."""

    repository: Repository
    gateway: Gateway
    mirror: int
    thinking: AgentSite
    plain: AgentSite
    listener: Listener
    token: Path

    def promote(self, version: int, *urls: str) -> str:
        """By the command, with nudges."""
        keys = self.repository.folder.parent / "keys"
        words = ["models", "promote", "m", str(version), "--to", "all"]
        words += ["--repo", str(self.repository.folder), "--keys", str(keys)]
        words += [word for url in urls for word in ("--nudge", url)]
        done = CliRunner().invoke(main, [*words, "--nudge-token-file", str(self.token)])
        assert done.exit_code == 0, done.output
        return done.output

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.mirror}"


@pytest.fixture(params=["embedded", "external"])
def world(request, programs: Programs, tmp_path: Path) -> Iterator[World]:
    with ExitStack() as stack:
        repository = Repository(tmp_path / "cloud")
        (tmp_path / "cloud" / "keys" / "root.json").write_bytes(repository.root.read_bytes())
        token = tmp_path / "nudge.token"
        token.write_text(TOKEN + "\n")
        port, mirror = free_port(), free_port()
        if request.param == "external":
            port = stack.enter_context(mosquitto(tmp_path)).port
        toml = TOML.format(
            folder=repository.folder, root=repository.root, token=token, mirror=mirror
        )
        gateway = make_gateway(programs, kind=request.param, mqtt_port=port, extra=[toml])
        agents = [
            AgentSite(
                programs, tmp_path / name, device=name, port=port, root=repository.root,
                source=f"http://127.0.0.1:{mirror}/models" if name == "d1" else "",
                poll_interval_s=HOUR,
            )
            for name in ("d1", "d2")
        ]  # fmt: skip
        gateway.start()
        gateway.wait_ready()
        for agent in agents:
            agent.program.start()
        listener = Listener(port)
        stack.callback(listener.close)
        yield World(repository, gateway, mirror, *agents, listener, token)
        programs.close()


def test_a_nudge_brings_a_version_to_every_device_within_seconds(world: World) -> None:
    """Poll intervals are an hour; both devices say which version and who runs it."""
    looked = lambda: (  # noqa: E731
        read_look(world.gateway.data / "models").at
        and read_look(world.thinking.folder / "models").at
    )
    wait_until(looked, 30, "both have looked once, and found nothing")
    world.repository.publish(packed(graphs.good()))
    assert f"nudged {world.url}" in world.promote(1, world.url)
    for version in (1, 2):
        if version == 2:
            world.repository.publish(packed(graphs.good()))
            world.promote(2, world.url)
        wanted = {"d1": ("device", version), "d2": ("gateway", version)}
        wait_until(
            lambda wanted=wanted: {each: world.listener.active(each) for each in wanted} == wanted,
            60,
            f"{wanted}; said {world.listener.said}",
        )
    assert world.listener.said["d1/model/desired"] == {"serial": 2}
    assert "d2/model/desired" not in world.listener.said


@pytest.mark.parametrize("world", ["external"], indirect=True)
def test_what_a_nudge_says_is_not_believed(world: World) -> None:
    """Somebody who may publish for a device has it look; what it takes stays what is signed."""
    folder = world.thinking.folder / "models"
    wait_until(lambda: read_look(folder).at, 30, "the device has looked")
    first = read_look(folder).at
    for payload in (b"nonsense", b'{"serial": 0}', b'{"serial": 99, "wanted": {"m": 7}}'):
        world.listener.client.publish("headrace/v1/d1/model/desired", payload, qos=1)
    wait_until(lambda: read_look(folder).at > first, 30, "it has looked once more")
    assert read_look(folder).serial == 0
    assert world.thinking.slot().active is None
    assert "ignored what is desired" in world.thinking.program.output()


@pytest.mark.parametrize("world", ["embedded"], indirect=True)
def test_a_gateway_is_nudged_with_its_token_only(world: World) -> None:
    """On both of its listeners; the command goes on where a gateway is not reached."""
    for url in (world.url, f"http://127.0.0.1:{world.gateway.http_port}"):
        assert post(url, "Bearer wrong") == 401
        assert post(url, f"Bearer {TOKEN}") == 202
    world.repository.publish(packed(graphs.good()))
    said = world.promote(1, f"http://127.0.0.1:{free_port()}", world.url)
    assert "not nudged, it looks by itself later" in said
    assert f"nudged {world.url}" in said


def post(url: str, authorization: str) -> int:
    asked = urllib.request.Request(url + NUDGE_PATH, method="POST")
    asked.add_header("Authorization", authorization)
    try:
        with urllib.request.urlopen(asked, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return int(error.code)
