"""A Sparkplug node that has enrolled, at both kinds of broker: its own name, and the host beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.feed import from_rows
from headrace.journal import JournalReader
from headrace.limits.sizes import GIB
from tests.enrolment import EnrolSite, make_site, run_gateway, tls_context
from tests.programs import Programs
from tests.servers import free_port, listens, start_process, wait_until
from tests.servers.mosquitto import EXECUTABLE
from tests.servers.sparkplug import Node

SPARKPLUG = "\n[sparkplug]\nenabled = true\n"


def readings(site: EnrolSite, device: str) -> list[float]:
    with JournalReader(site.gateway.journal) as reader:
        rows = [row for row in reader.read(0, max_rows=10**9, max_bytes=GIB) if row.device == device]  # fmt: skip
    return [value for entry in from_rows(rows) for value in entry.rows.column("value").to_pylist()]


def check(site: EnrolSite, folder: Path, port: int) -> None:
    """Readings of an enrolled node arrive; it is not heard under another name."""
    site.gateway.start()
    site.gateway.wait_ready()
    wait_until(lambda: site.gateway.metric("headrace_gateway_sparkplug_connected") == 1, 20, "host")
    files = site.enrol("line-1", folder)
    context = tls_context(files / "ca.crt", files)
    node = Node("plant", "line-1", port, tls=context)
    node.data(21.5)
    wait_until(lambda: 21.5 in readings(site, "plant.line-1"), 15, "its data")
    node.lose()
    node.data(22.5)
    wait_until(lambda: node.rebirths == 1 and 22.5 in readings(site, "plant.line-1"), 15, "reborn")
    node.node = "line-2"
    node.birth()
    node.node = "line-1"
    node.close()
    assert readings(site, "plant.line-2") == []
    assert site.gateway.is_ready()


def test_at_the_embedded_broker(programs: Programs, tmp_path: Path) -> None:
    """The host comes in as one of the gateway's commands."""
    site = make_site(programs, enrol=SPARKPLUG)
    check(site, tmp_path, site.gateway.mqtt_port)


@pytest.mark.skipif(EXECUTABLE is None, reason="mosquitto is not installed")
def test_at_mosquitto_with_the_sites_configuration(programs: Programs, tmp_path: Path) -> None:
    """The host has a certificate of its own there: the name is the client id."""
    port, conf, data = free_port(), tmp_path / "conf", tmp_path / "data"
    data.mkdir()
    enrol = f'mosquitto_dir = "{conf}"\nmosquitto_pid_file = "{tmp_path / "pid"}"{SPARKPLUG}'
    site = make_site(programs, kind="external", mqtt_port=port, enrol=enrol)
    arguments = ["--out", conf, "--port", port, "--bind", "127.0.0.1", "--data", data]
    result = run_gateway(site, "mosquitto-config", *map(str, arguments))
    assert result.exit_code == 0, result.output
    main = tmp_path / "mosquitto.conf"
    main.write_text(f"user root\npid_file {tmp_path / 'pid'}\ninclude_dir {conf}\n", encoding="utf-8")  # fmt: skip
    log = tmp_path / "mosquitto.log"
    with start_process([EXECUTABLE, "-c", main], log=log, ready=lambda: listens(port)):
        check(site, tmp_path, port)
        site.gateway.program.stop()
