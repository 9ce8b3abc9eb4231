"""Certificates renew by themselves: a real gateway, a real agent, a certificate of last winter."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from edge_agent.enrol.files import DeviceFiles, validity_of
from gateway.enrol.authority import Authority
from headrace.clock import SystemClock
from tests.enrolment import (
    Client,
    EnrolSite,
    issue_long_ago,
    make_site,
    run_enroll,
    run_gateway,
    tls_context,
)
from tests.programs import Programs
from tests.servers import free_port, wait_until
from tests.servers.agent import agent, log_of, write_agent_config

HOST = '[[inputs]]\nplugin = "host"\n'
#: 20 of 120 days are left: due, and within the month of which is warned.
OLD: Final = {"days_ago": 100, "days": 120}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory):
    """One running gateway for this file."""
    programs = Programs(tmp_path_factory.mktemp("renewal"))
    made = make_site(programs)
    made.gateway.start()
    yield made
    programs.close()


def configure(
    site: EnrolSite, folder: Path, tls: Path, device: str, port: int | None = None
) -> Path:
    """An agent.toml for a device whose files are there."""
    uplink = (
        f'host = "127.0.0.1"\ntls = true\nca = "{tls / "ca.crt"}"\ncert = "{tls / "device.crt"}"\n'
        f'key = "{tls / "device.key"}"\nrenew_from = "https://127.0.0.1:{port or site.port}"'
    )
    return write_agent_config(
        folder, port=site.gateway.mqtt_port, inputs=HOST, device=device, uplink=uplink
    )


def days_left(folder: Path) -> float:
    return validity_of(folder / "device.crt").days_left(SystemClock().now_us())


def test_a_running_agent_renews_and_goes_on_with_the_new_certificate(site, tmp_path):
    """New key, new certificate, a new connection; the readings go on, and the old one stays good."""
    tls = issue_long_ago(site, "pump-1", tmp_path, **OLD)
    old = tls_context(tls / "ca.crt", tls)
    key = (tls / "device.key").read_bytes()
    config = configure(site, tmp_path, tls, "pump-1")
    with agent(config):
        wait_until(lambda: days_left(tls) > 300, 30, f"the new certificate: {log_of(config)}")
        wait_until(lambda: "certificate is renewed" in log_of(config), 10, "the agent says so")
        wait_until(lambda: "works again" in log_of(config), 20, f"it is back: {log_of(config)}")
    assert (tls / "device.key").read_bytes() != key
    assert (tls / "device.key").stat().st_mode & 0o777 == 0o600
    assert " 0 buffered" in log_of(config)
    assert Client("old", site.gateway.mqtt_port, old).connect().up.is_set()
    assert "renewed pump-1 from" in site.gateway.program.output()


def test_a_certificate_that_is_young_is_left_alone(site, tmp_path):
    """The command says so and ends well, for cron."""
    tls = issue_long_ago(site, "pump-2", tmp_path, days_ago=100, days=365)
    before = (tls / "device.crt").read_bytes()
    result = run_enroll(site.url, "--renew", "--if-due", "--out", tls)
    assert result.exit_code == 0
    assert "not due" in result.stderr
    assert (tls / "device.crt").read_bytes() == before


def test_a_revoked_device_cannot_renew(site, tmp_path):
    """Though its certificate is due and was good."""
    tls = issue_long_ago(site, "pump-3", tmp_path, **OLD)
    site.revoke("pump-3")
    before = (tls / "device.crt").read_bytes()
    result = run_enroll(site.url, "--renew", "--if-due", "--out", tls)
    assert result.exit_code == 1
    assert "revoked" in result.stderr
    assert (tls / "device.crt").read_bytes() == before


@pytest.mark.parametrize("year_s", [0.0, 2_208_988_800.0])
def test_a_clock_that_is_wrong_renews_nothing(site, tmp_path, monkeypatch, year_s):
    """1970 or 2040: the gateway's time is asked first, and the difference said."""
    tls = issue_long_ago(site, f"pump-of-{year_s:.0f}", tmp_path, **OLD)
    before = (tls / "device.crt").read_bytes()
    monkeypatch.setattr("edge_agent.enrol.exchange.time.time", lambda: year_s)
    result = run_enroll(site.url, "--renew", "--if-due", "--out", tls)
    assert result.exit_code == 2
    assert "clock says" in result.stderr
    assert (tls / "device.crt").read_bytes() == before


def test_another_site_at_the_same_address_renews_nothing(site, tmp_path):
    """It has another CA; the device says so and keeps what it has."""
    tls = issue_long_ago(site, "pump-8", tmp_path, **OLD)
    other = Authority(tmp_path / "other", site="other", clock=SystemClock())
    (tls / "ca.crt").write_text(other.ca_pem, encoding="utf-8")
    result = run_enroll(site.url, "--renew", "--out", tls)
    assert result.exit_code == 1
    assert "another CA" in result.stderr


def test_an_interrupted_renewal_goes_on_with_the_same_key(site, tmp_path):
    """The answer was lost, or the power: nothing is mixed up."""
    tls = issue_long_ago(site, "pump-4", tmp_path, **OLD)
    port = free_port()
    assert run_enroll(f"https://127.0.0.1:{port}", "--renew", "--out", tls).exit_code == 1
    files = DeviceFiles(tls)
    files.keep_next_key(files.key.read_bytes())
    assert run_enroll(site.url, "--renew", "--out", tls).exit_code == 0
    assert not files.next_key.exists()
    assert days_left(tls) > 300


def test_a_gateway_that_is_away_is_warned_of_and_counted(site, tmp_path):
    """In the log, the metrics and the device's state; the old certificate goes on working."""
    tls = issue_long_ago(site, "pump-5", tmp_path, **OLD)
    config = configure(site, tmp_path, tls, "pump-5", port=free_port())
    metrics = free_port()
    config.write_text(f"{config.read_text()}\n[metrics]\nport = {metrics}\n", encoding="utf-8")
    with agent(config):
        wait_until(lambda: "cannot be reached" in log_of(config), 30, f"{log_of(config)}")
        text = _get(metrics)
        assert 'certificate_renewals_total{outcome="failed"} 1.0' in text
        days = re.search(r"headrace_agent_certificate_days ([\d.]+)", text)
        assert days is not None
        assert 19 < float(days[1]) < 21
        wait_until(
            lambda: "pump-5" in {row["device"] for row in site.gateway.get("api/v1/devices")},
            20, "it delivers all the same",
        )  # fmt: skip
    said = run_gateway(site, "devices").stdout
    line = next(line for line in said.splitlines() if line.startswith("pump-5 "))
    assert "in 20 days, and not renewed" in line


def test_a_device_that_renews_in_a_loop_is_stopped(site, tmp_path, monkeypatch):
    """Its certificates that are good at once are bounded."""
    tls = site.enrol("pump-6", tmp_path)
    results = [run_enroll(site.url, "--renew", "--out", tls) for _ in range(21)]
    assert results[0].exit_code == 0
    assert results[-1].exit_code == 1
    assert "in a loop" in results[-1].stderr


def test_the_gateways_own_certificates_are_in_its_metrics(site):
    """Days until they end; and how many of the devices' are not for long."""
    wait_until(
        lambda: site.gateway.metric('headrace_gateway_certificate_days{certificate="gateway"}') > 800,
        10, "the gateway's",
    )  # fmt: skip


def _get(port: int) -> str:
    import urllib.request

    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as reply:
        return str(reply.read().decode())
