"""Topics that a device may use at the embedded broker, and what [broker] may say."""

from __future__ import annotations

import pytest

from gateway.broker.auth import TopicAccess
from gateway.broker.config import BrokerConfig, check_broker
from headrace.config import FaultList
from headrace.pki.names import GATEWAY_NAME

ACCESS = TopicAccess("headrace/v1")

OWN = ["data/arrow", "data/senml-json", "state", "model/reported"]
HEARD = ["ack", "nack", "model/desired", "model/#"]


@pytest.mark.parametrize("topic", OWN)
def test_a_device_publishes_its_data_and_states(topic):
    """Below its own name, and nowhere else."""
    assert ACCESS.may_publish("pump-1", f"headrace/v1/pump-1/{topic}")
    assert not ACCESS.may_publish("pump-2", f"headrace/v1/pump-1/{topic}")
    assert not ACCESS.may_subscribe("pump-1", f"headrace/v1/pump-1/{topic}") or "model" in topic


@pytest.mark.parametrize("topic", HEARD)
def test_a_device_hears_its_answers_and_does_not_write_them(topic):
    """A forged ack would make another device forget readings."""
    assert ACCESS.may_subscribe("pump-1", f"headrace/v1/pump-1/{topic}")
    assert not ACCESS.may_subscribe("pump-2", f"headrace/v1/pump-1/{topic}")
    assert not ACCESS.may_publish("pump-1", f"headrace/v1/pump-1/{topic}")


@pytest.mark.parametrize(
    "topic",
    ["#", "+/+/+/ack", "headrace/v1/#", "headrace/v1/+/ack", "headrace/v1/pump-1", "$SYS/#", "", "other",
     "headrace/v1/pump-10/ack", "headrace/v1/pump-1/data/arrow/x", "headrace/v1/pump-1/data/"],
)  # fmt: skip
def test_everything_else_is_denied(topic):
    """Wildcards over others, other roots, names that begin alike."""
    assert not ACCESS.may_publish("pump-1", topic)
    assert not ACCESS.may_subscribe("pump-1", topic)


def test_nobody_is_not_somebody():
    """A session without a name has no topics."""
    assert not ACCESS.may_publish("", "headrace/v1//state")
    assert not ACCESS.may_subscribe("", "headrace/v1//ack")


def test_the_gateways_commands_may_speak_for_devices():
    """Replay from quarantine does; below the root only."""
    assert ACCESS.may_publish(GATEWAY_NAME, "headrace/v1/pump-1/data/arrow")
    assert not ACCESS.may_publish(GATEWAY_NAME, "elsewhere/x")


def keys_of(config):
    found = FaultList()
    check_broker(config, found)
    return [fault.key for fault in found.faults]


@pytest.mark.parametrize(
    ("config", "keys"),
    [
        (BrokerConfig(), []),
        (BrokerConfig(auth="certificate", host="0.0.0.0"), []),
        (BrokerConfig(auth="none", host="0.0.0.0", tls=False), ["broker.auth"]),
        (BrokerConfig(host="0.0.0.0", tls=False), ["broker.auth"]),
        (BrokerConfig(auth="password"), ["broker.password_file"]),
        (BrokerConfig(auth="certificate", tls=False), ["broker.tls"]),
        (BrokerConfig(kind="external", host="mqtt.example", auth="certificate"), []),
    ],
)
def test_clients_without_a_name_stay_on_this_machine(config, keys):
    """Without auth the broker listens on loopback only; certificates need TLS."""
    assert keys_of(config) == keys
