"""What the gateway promises with a broker elsewhere, over every make that is installed (``brokers`` lists them).

1. Batches arrive and acks leave, up to the largest payload that the broker takes; who was there before is seen.
2. What the broker has taken is in the journal once, however often the gateway is killed: it acknowledges to
   the broker after its commit. What comes while it is away waits for it in its session.
3. A broker that is killed loses and doubles nothing of devices that wait for the ack; where the broker
   promises it, nothing of others either.
4. Several connections share the batches; a broker that cannot do that serves all the same, or is told apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.batches import payload
from tests.contract import brokers
from tests.contract.brokers import Make
from tests.devices import Device, Sender, journalled
from tests.programs import Gateway, Programs, make_gateway
from tests.servers import wait_until

STREAM = "fedcba9876543210"


@pytest.fixture(params=brokers.NAMES)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    made = brokers.make(request.param, tmp_path / "broker")
    made.broker.start()
    yield made
    made.broker.close()


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    made = Programs(tmp_path)
    yield made
    made.close()


def gateway_at(programs: Programs, make: Make, more: str = "") -> Gateway:
    """Configured for the broker, started, ready."""
    made = make_gateway(
        programs, kind="external", mqtt_port=make.broker.port, broker=f"{make.settings}\n{more}"
    )
    made.start()
    made.wait_ready()
    return made


def test_batches_arrive_and_acks_leave(programs: Programs, make: Make) -> None:
    """1. The refusal of a payload as large as can be shows that it came through whole."""
    device = Device("pump-1", make.broker.port)
    device.publish_on(device.topics.state("pump-1"), b'{"online":true,"version":"1"}', retain=True)
    gateway = gateway_at(programs, make)
    if make.retains:
        wait_until(lambda: gateway.get("api/v1/devices"), 20, "the state of before")
    device.publish(payload(STREAM, 1, 1_000))
    device.wait_acked(1_000)
    device.publish(bytes(make.largest), "xml")
    wait_until(lambda: device.nacks, 60, "the nack")
    assert journalled(gateway) == 1_000
    device.close()


def test_a_gateway_that_is_killed_or_away_misses_nothing_that_the_broker_took(
    programs: Programs, make: Make
) -> None:
    """2. Firmware that forgets at PUBACK is the judge."""
    gateway = gateway_at(programs, make)
    sender = Sender("pump-1", make.broker.port)
    for round_ in range(2):
        sender.send(round_ * 200, 200)
        wait_until(lambda n=round_: sender.taken > n * 200 + 50, 30, "some are with the broker")  # type: ignore[misc]
        gateway.program.kill()
        gateway.start()
    gateway.wait_ready()
    assert gateway.program.stop() == 0
    sender.send(400, 100)
    wait_until(lambda: sender.taken == 500, 60, "all are with the broker")
    gateway.start()
    wait_until(lambda: journalled(gateway) == 5_000, 60, "all are in the journal, once")
    sender.close()


def test_a_broker_that_is_killed_loses_and_doubles_nothing(programs: Programs, make: Make) -> None:
    """3. The gateway comes back to it by itself."""
    gateway = gateway_at(programs, make)
    device = Device("pump-1", make.broker.port)
    for number in range(20):
        device.publish(payload(STREAM, number * 10 + 1, 10))
    device.wait_acked(200)
    device.close()
    kept = 0
    if make.durable:
        gateway.program.stop()
        sender = Sender("pump-2", make.broker.port)
        sender.send(0, 50)
        wait_until(lambda: sender.taken == 50, 30, "the broker has taken them")
        sender.close()
        kept = 500
    make.broker.kill()
    if not make.durable:
        wait_until(lambda: not gateway.is_ready(), 60, "it is noticed")
    make.broker.start()
    if make.durable:
        gateway.start()
    gateway.wait_ready()
    wait_until(lambda: journalled(gateway, "pump-2") == kept, 60, "what it had taken is here")
    again = Device("pump-1", make.broker.port)
    for number in range(40):
        again.publish(payload(STREAM, number * 10 + 1, 10))
    again.wait_acked(400)
    again.close()
    assert journalled(gateway) == 400


def test_several_connections_share_what_comes(programs: Programs, make: Make) -> None:
    """4. Each batch once in all; a broker without shared subscriptions has one connection."""
    if make.protocol == "3.1.1":
        pytest.skip("this broker speaks MQTT 3.1.1, which has no shared subscriptions")
    gateway = gateway_at(programs, make, "connections = 3")
    device = Device("pump-1", make.broker.port)
    for number in range(300):
        device.publish(payload(STREAM, number * 10 + 1, 10))
    device.wait_acked(3_000)
    assert journalled(gateway) == 3_000
    assert gateway.metric("headrace_gateway_duplicate_readings_total") == 0
    device.close()
