"""A mosquitto in the field as a bridge to the embedded broker: its local sensors need no certificates."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace.journal import JournalReader
from tests.enrolment import Client, EnrolSite, make_site
from tests.programs import Programs
from tests.servers import wait_until
from tests.servers.mosquitto import EXECUTABLE, Mosquitto, mosquitto

pytestmark = pytest.mark.skipif(EXECUTABLE is None, reason="mosquitto is not installed")

BRIDGE = """
connection headrace
address 127.0.0.1:{port}
bridge_cafile {folder}/ca.crt
bridge_certfile {folder}/device.crt
bridge_keyfile {folder}/device.key
bridge_protocol_version mqttv311
notifications_local_only true
restart_timeout 1
topic line out 1 sensors/ headrace/v1/barn/data/
topic ack in 1 acks/ headrace/v1/barn/
"""


@pytest.fixture
def site(tmp_path: Path, programs: Programs) -> EnrolSite:
    made = make_site(programs)
    made.gateway.start()
    made.gateway.wait_ready()
    made.enrol("barn", tmp_path)
    return made


@pytest.fixture
def bridge(site: EnrolSite, tmp_path: Path) -> Iterator[Mosquitto]:
    lines = BRIDGE.format(port=site.gateway.mqtt_port, folder=tmp_path / "barn").splitlines()
    with mosquitto(tmp_path, lines=[*lines, "log_type all"]) as running:
        yield running


def values_of(site: EnrolSite) -> int:
    with JournalReader(site.gateway.journal) as reader:
        rows = reader.read(0, max_rows=10**9, max_bytes=10**9)
    return sum(row.rows for row in rows if row.device == "barn")


def test_what_is_published_at_the_bridge_is_the_devices(site: EnrolSite, bridge: Mosquitto) -> None:
    """It says that it is a bridge, is told to come as an ordinary client, and does."""
    sensor = Client("sensor", bridge.port).connect()
    sensor.publish("sensors/line", b"m f=1\nm g=2")
    wait_until(lambda: values_of(site) == 2, 30, "both readings")
    refused = 'headrace_gateway_denied_connections_total{reason="version"}'
    assert site.gateway.metric(refused) == 1
    sensor.publish("sensors/line", b"m f=3")
    wait_until(lambda: values_of(site) == 3, 10, "it goes on")
    assert site.gateway.metric(refused) == 1
    sensor.close()
