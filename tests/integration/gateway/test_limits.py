"""A device over its limit, through real brokers: it is slowed, loses nothing, and nobody else notices."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from click.testing import CliRunner
from paho.mqtt.enums import CallbackAPIVersion

from gateway import cli
from headrace.journal import JournalReader
from headrace.ranges import RangeSet
from tests.batches import payload
from tests.programs import Gateway, Programs, make_gateway
from tests.servers import wait_until
from tests.servers.mosquitto import EXECUTABLE, mosquitto

STREAM = "0123456789abcdef"
LIMITS = """
[[limits.devices]]
device = "fast"
readings_per_s = 1000
burst_s = 0.5
max_series = 2
"""


class Device:
    """Numbers its readings, and sends what was not acknowledged again, as an agent does."""

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self.acked = RangeSet()
        self.nacks: list[str] = []
        self._up = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name)
        self._client.on_message = self._on_message
        self._client.on_subscribe = lambda *_: self._up.set()
        self._client.connect("127.0.0.1", port)
        self._client.subscribe([(f"headrace/v1/{name}/{kind}", 1) for kind in ("ack", "nack")])
        self._client.loop_start()
        assert self._up.wait(10)

    def _on_message(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        told = json.loads(message.payload)
        if message.topic.endswith("/nack"):
            self.nacks.append(told["reason"])
            return
        for first, last in told["ranges"]:
            self.acked.add(first, last)

    def send(self, first: int, count: int, *, name: str = "flow") -> None:
        topic = f"headrace/v1/{self.name}/data/arrow"
        self._client.publish(topic, payload(STREAM, first, count, name=name), qos=1)

    def send_until_acked(self, total: int, step: int, *, again_s: float) -> None:
        """The first of the missing batches, a window of five, again and again."""
        deadline = time.monotonic() + 40
        while self.acked.count < total:
            assert time.monotonic() < deadline, f"{self.acked.count} of {total} acknowledged"
            window = [first for first in range(1, total, step) if first not in self.acked][:5]
            for first in window:
                self.send(first, step)
            end = time.monotonic() + again_s
            while window[-1] not in self.acked and time.monotonic() < end:
                threading.Event().wait(0.02)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@contextmanager
def broker_for(kind: str, folder: Path) -> Iterator[int | None]:
    if kind == "embedded":
        yield None
        return
    if EXECUTABLE is None:
        pytest.skip("mosquitto is not installed")
    with mosquitto(folder) as broker:
        yield broker.port


def seqs(gateway: Gateway, device: str) -> list[tuple[int, int]]:
    with JournalReader(gateway.journal) as reader:
        rows = reader.identities(0, max_batches=10_000)
    return sorted((first, last) for _, name, _, first, last in rows if name == device)


@pytest.mark.parametrize("kind", ["embedded", "external"])
def test_a_device_over_its_limit_is_slowed_and_others_go_on(
    kind: str, programs: Programs, tmp_path: Path
) -> None:
    """4,000 readings at 1,000/s take seconds; a quiet device is answered at once all the while."""
    with broker_for(kind, tmp_path) as port:
        gateway = make_gateway(programs, kind=kind, mqtt_port=port, extra=[LIMITS])
        gateway.start()
        gateway.wait_ready()
        fast, quiet = Device("fast", gateway.mqtt_port), Device("quiet", gateway.mqtt_port)
        flood = threading.Thread(
            target=fast.send_until_acked, args=(4_000, 100), kwargs={"again_s": 0.5}
        )
        started = time.monotonic()
        flood.start()
        answered = 0
        while flood.is_alive():
            answered += 1
            quiet.send(answered, 1)
            wait_until(lambda: answered in quiet.acked, 20, "the quiet one is answered")  # noqa: B023
            threading.Event().wait(0.1)
        flood.join()
        assert time.monotonic() - started > 2.5, "it was not slowed"
        assert answered > 3
        assert fast.acked.pairs() == [(1, 4_000)]
        assert seqs(gateway, "fast") == [(at, at + 99) for at in range(1, 4_000, 100)]
        held = 'headrace_gateway_limited_batches_total{device="fast",what="held"}'
        assert gateway.metric(held) >= 1
        fast.close()
        quiet.close()


def test_too_many_series_are_refused_and_replayed_when_the_limit_is_raised(
    programs: Programs,
) -> None:
    """The device is told, the payload is kept, and nothing has to be restarted."""
    gateway = make_gateway(programs, extra=[LIMITS])
    gateway.start()
    gateway.wait_ready()
    fast = Device("fast", gateway.mqtt_port)
    for number, name in enumerate("abc"):
        fast.send(number * 10 + 1, 10, name=name)
    wait_until(lambda: fast.nacks == ["over_limit"], 10, "the third series is refused")
    assert fast.acked.pairs() == [(1, 20)]

    config = gateway.program.config
    config.write_text(config.read_text().replace("max_series = 2", "max_series = 3"))
    command(config, "reload")
    command(config, "quarantine", "replay", "--all")
    wait_until(lambda: fast.acked.pairs() == [(1, 30)], 10, "it is in after all")
    fast.close()


def command(config: Path, *words: str) -> None:
    """Run one of the gateway's own commands beside it."""
    done = CliRunner().invoke(cli.main, [*words, "--config", str(config)])
    assert done.exit_code == 0, done.output
