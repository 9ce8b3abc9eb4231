"""The gateway as a process, with both kinds of broker."""

import shutil
import struct

import pytest
import zstandard

from headrace.journal import JournalReader
from headrace.limits.wire import MAX_DECODED_BYTES
from tests.batches import payload
from tests.devices import Device
from tests.programs import make_gateway
from tests.servers import wait_until
from tests.servers.mosquitto import EXECUTABLE, mosquitto

STREAM = "0123456789abcdef"

BAD = {
    "truncated": ("arrow", payload(STREAM, 1, 100)[:-30], "broken_frame"),
    "random bytes": ("arrow", struct.pack("<40I", *range(40)), "broken_frame"),
    "wrong schema": ("senml-json", b'{"n":"a"}', "bad_schema"),
    "bomb": ("arrow", zstandard.ZstdCompressor().compress(bytes(MAX_DECODED_BYTES + 1)), "bomb"),
    "out of range": ("senml-json", b'[{"n":"a","bv":1e308,"v":1e308}]', "bad_value"),
    "an alert of its own": ("senml-json", b'[{"n":"alert/x","vs":"{}"}]', "bad_value"),
    "unknown format": ("xml", b"<a/>", "unknown_format"),
}


@pytest.fixture(params=["embedded", "external"])
def gateway(request, programs, tmp_path):
    """A running gateway, once with amqtt inside and once beside a mosquitto."""
    if request.param == "embedded":
        made = make_gateway(programs)
        made.start()
        made.wait_ready()
        yield made
        return
    if EXECUTABLE is None:
        pytest.skip("mosquitto is not installed")
    with mosquitto(tmp_path) as broker:
        made = make_gateway(programs, kind="external", mqtt_port=broker.port)
        made.start()
        made.wait_ready()
        yield made


@pytest.fixture
def device(gateway):
    made = Device("pump-1", gateway.mqtt_port)
    yield made
    made.close()


def journal_rows(gateway):
    with JournalReader(gateway.journal) as reader:
        return reader.read(0, max_rows=10**9, max_bytes=10**9)


def test_an_ack_means_that_the_batch_is_on_disk(gateway, device):
    """What was acknowledged survives kill -9."""
    for first in range(1, 1001, 100):
        device.publish(payload(STREAM, first, 100))
    device.wait_acked(1000)
    gateway.program.kill()
    assert sum(row.rows for row in journal_rows(gateway)) == 1000


def test_a_resend_after_a_restart_is_acknowledged_and_not_stored_twice(gateway, programs):
    """Dedup is as durable as the rows."""
    device = Device("pump-1", gateway.mqtt_port)
    device.publish(payload(STREAM, 1, 100))
    device.wait_acked(100)
    device.close()
    gateway.program.kill()
    gateway.start()
    gateway.wait_ready()
    device = Device("pump-1", gateway.mqtt_port)
    device.publish(payload(STREAM, 1, 150))
    device.wait_acked(150)
    device.close()
    assert [(row.first_seq, row.last_seq) for row in journal_rows(gateway)] == [
        (1, 100),
        (101, 150),
    ]
    assert gateway.metric("headrace_gateway_duplicate_readings_total") == 100


@pytest.mark.parametrize("case", BAD)
def test_bad_payloads_are_nacked_and_kept_and_the_gateway_stays_up(gateway, device, case):
    """Nack, quarantine, counter; then a good batch goes through."""
    format_name, data, reason = BAD[case]
    device.publish(data, format_name)
    wait_until(lambda: device.nacks, 10, "a nack")
    assert device.nacks[0]["reason"] == reason
    label = f'headrace_gateway_refused_batches_total{{reason="{reason}"}}'
    assert gateway.metric(label) == 1
    with JournalReader(gateway.journal) as reader:
        assert reader.counts()["quarantined"] == 1
    device.publish(payload(STREAM, 1, 10))
    device.wait_acked(10)


def test_a_bad_device_id_goes_to_quarantine(gateway, device):
    """It cannot be nacked, because no device may have that name; it is kept and counted."""
    device.publish_on("headrace/v1/bad id!/data/arrow", payload(STREAM, 1, 10))
    label = 'headrace_gateway_refused_batches_total{reason="bad_topic"}'
    wait_until(lambda: gateway.metric(label) == 1, 10, "the refusal is counted")


def test_states_and_wills_reach_the_api(gateway, device):
    """Devices are shown as they say that they are."""
    device.publish_on("headrace/v1/pump-1/state", b'{"online": true, "buffered": 7}', retain=True)
    wait_until(lambda: gateway.get("api/v1/devices"), 10, "the device shows")
    assert gateway.get("api/v1/devices")[0]["buffered"] == 7


def test_gaps_are_named(gateway, device):
    """ "pump-1 lacks 101-200"."""
    device.publish(payload(STREAM, 1, 100))
    device.publish(payload(STREAM, 201, 100))
    device.wait_acked(200)
    assert gateway.get("api/v1/gaps/pump-1") == {STREAM: [[101, 200]]}
    assert gateway.metric('headrace_gateway_gap_readings{device="pump-1"}') == 100
    device.publish(payload(STREAM, 101, 100))
    device.wait_acked(300)
    assert gateway.get("api/v1/gaps/pump-1") == {}
    assert gateway.metric('headrace_gateway_gap_readings{device="pump-1"}') == 0


def test_a_quarantined_payload_can_be_replayed(gateway, device, capfd):
    """A payload that was refused for the gateway's fault gets in once the fault is mended."""
    device.publish(payload(STREAM, 1, 10), "unheard-of")
    wait_until(lambda: device.nacks, 10, "a nack")
    import sqlite3

    db = sqlite3.connect(gateway.journal)
    db.execute("UPDATE quarantine SET topic = 'headrace/v1/pump-1/data/arrow'")
    db.commit()
    db.close()
    from click.testing import CliRunner

    from gateway.cli import main

    result = CliRunner().invoke(
        main, ["quarantine", "replay", "--all", "-c", str(gateway.program.config)]
    )
    assert result.output == "replayed 1\n"
    device.wait_acked(10)
    with JournalReader(gateway.journal) as reader:
        assert reader.counts()["quarantined"] == 0


def test_sigterm_ends_it_with_status_0(gateway, device):
    """systemd and containers stop it this way."""
    device.publish(payload(STREAM, 1, 10))
    device.wait_acked(10)
    assert gateway.program.stop() == 0
    assert "Traceback" not in gateway.program.output()


def test_a_full_disk_stops_the_acks_and_loses_nothing(programs, tmp_path):
    """A real small filesystem fills up; room comes back, and everything is acknowledged in the end."""
    import os
    import subprocess

    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("needs root to mount a small filesystem")
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", small], check=False, capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount here: {mounted.stderr.decode().strip()}")
    try:
        gateway = make_gateway(programs, data=small / "data")
        gateway.start()
        gateway.wait_ready()
        ballast = small / "ballast"
        ballast.write_bytes(bytes(10 * 1024 * 1024))
        device = Device("pump-1", gateway.mqtt_port)
        for index in range(40):
            device.publish(payload(STREAM, 1 + index * 9000, 9000))
        wait_until(lambda: not gateway.is_ready(), 20, "the gateway says that it takes nothing")
        assert device.acked < 40 * 9000
        assert gateway.program.output().count("trying again until it works") == 1
        ballast.unlink()
        device.wait_acked(40 * 9000)
        device.close()
        assert gateway.is_ready()
        assert sum(row.rows for row in journal_rows(gateway)) == 40 * 9000
        gateway.program.stop()
    finally:
        for program in programs.made:
            if program.running:
                program.kill()
        subprocess.run(["umount", small], check=True)


def test_a_broker_that_is_away_is_said_once_and_once_when_it_is_back(programs, tmp_path):
    """The gateway waits, and takes batches when the broker comes."""
    if EXECUTABLE is None:
        pytest.skip("mosquitto is not installed")
    from tests.servers import free_port

    port = free_port()
    gateway = make_gateway(programs, kind="external", mqtt_port=port)
    gateway.start()
    wait_until(lambda: "cannot be reached" in gateway.program.output(), 20, "it says so")
    assert not gateway.is_ready()
    with mosquitto(tmp_path, port=port):
        gateway.wait_ready()
        device = Device("pump-1", port)
        device.publish(payload(STREAM, 1, 10))
        device.wait_acked(10)
        device.close()
    assert gateway.program.output().count("cannot be reached") == 1
    assert gateway.program.output().count("works again") == 1


def test_a_bad_configuration_is_reported_whole_and_nothing_starts(programs):
    """Exit status 2, every fault with its key."""
    program = programs.make(
        "gateway", 'site = "a b"\n[broker]\nport = 0\nhots = "x"\n[[sinks]]\nplugin = "nope"\n'
    )
    program.start()
    assert program.process.wait(30) == 2
    output = program.output()
    for key in ("site:", "broker.port:", "broker.hots:"):
        assert key in output
    assert not (programs.folder / "headrace-data").exists()
