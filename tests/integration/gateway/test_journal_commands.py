"""``gateway journal`` beside a gateway that is busy."""

from __future__ import annotations

import json
import subprocess
import sys

import pyarrow.parquet as pq
import pytest

from tests.batches import payload
from tests.devices import Device
from tests.programs import make_gateway
from tests.servers import wait_until

STREAM = "0123456789abcdef"


@pytest.fixture
def gateway(programs):
    made = make_gateway(programs, extra=["[vitals]\nenabled = false\n"])
    made.start()
    made.wait_ready()
    return made


@pytest.fixture
def device(gateway):
    made = Device("pump-1", gateway.mqtt_port)
    yield made
    made.close()


def command(gateway, *words):
    start = [sys.executable, "-m", "gateway", "journal", *words]
    return [*start, "--config", str(gateway.program.config)]


def run(gateway, *words):
    return subprocess.run(command(gateway, *words), capture_output=True, text=True, timeout=60)


def test_verify_and_export_hold_nothing_up_and_see_whole_batches(gateway, device, tmp_path):
    """Batches come in all the while; what is checked and written is sound."""
    for number in range(40):
        device.publish(payload(STREAM, number * 100 + 1, 100))
    out = tmp_path / "part.parquet"
    beside = [
        subprocess.Popen(command(gateway, *words), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for words in (["verify"], ["export", str(out)])
    ]
    for number in range(40, 80):
        device.publish(payload(STREAM, number * 100 + 1, 100))
    answers = [each.communicate(timeout=60) for each in beside]
    assert [each.returncode for each in beside] == [0, 0], answers
    seqs = pq.read_table(out, columns=["seq"]).column("seq").to_pylist()
    assert seqs == list(range(1, len(seqs) + 1))
    assert len(seqs) % 100 == 0
    device.wait_acked(8_000)
    assert "OK: 80 batches, 8000 readings" in run(gateway, "verify").stdout


def test_tail_follows_what_comes(gateway, device, tmp_path):
    """Until it is told to stop; only what is wanted, as JSON lines."""
    device.publish(payload(STREAM, 1, 10))
    device.wait_acked(10)
    log = tmp_path / "tail.log"
    words = ["tail", "-f", "-n", "2", "--json", "--device", "pump-*", "--name", "flow"]
    with log.open("wb") as out, subprocess.Popen(command(gateway, *words), stdout=out) as tail:
        wait_until(lambda: len(log.read_text().splitlines()) == 2, 20, "the newest two")
        device.publish(payload(STREAM, 11, 5, name="other"))
        device.publish(payload(STREAM, 16, 5))
        wait_until(lambda: len(log.read_text().splitlines()) == 7, 20, "five more")
        tail.terminate()
        tail.wait(10)
    found = [json.loads(line) for line in log.read_text().splitlines()]
    assert [each["seq"] for each in found] == [9, 10, 16, 17, 18, 19, 20]
    assert {each["name"] for each in found} == {"flow"}


def test_stat_shows_consumers_devices_and_the_reasons_of_refusals(gateway, device):
    """What is late, what lacks, what was refused: the first look in any trouble."""
    device.publish(payload(STREAM, 11, 10))
    device.publish(b"no batch")
    device.wait_acked(10)
    wait_until(lambda: device.nacks, 10, "a nack")
    found = json.loads(run(gateway, "stat", "--json").stdout)
    assert found["quarantine"] == {"broken_frame": 1}
    assert found["devices"][0]["gaps"] == {STREAM: [[1, 10]]}
    assert found["free_bytes"] > 0
    assert found["age_s"] >= 0
    assert "lacks 1-10" in run(gateway, "stat").stdout
