"""A real gateway and a real signed repository: versions arrive, go wrong, and the last good one stays."""

from __future__ import annotations

import json
import re
import shlex
import signal
import ssl
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.subscribe as subscribe
import pytest

from headrace.errors import TransportError
from headrace.models.nudge import nudge
from headrace.models.remote import Question, RemoteClient
from headrace.models.store import read_slots
from tests import graphs
from tests.model_repository import packed
from tests.model_site import Site
from tests.servers import free_port, wait_until

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "models.md"


def reported(site: Site) -> dict[str, Any]:
    """What is retained on MQTT."""
    topic = "headrace/v1/gateway-site-1/model/reported"
    found = subscribe.simple(topic, hostname="127.0.0.1", port=site.gateway.mqtt_port, qos=1)
    return dict(json.loads(found.payload))


def commands_of_the_page() -> list[list[str]]:
    """`gateway models …` as docs/how-to/models.md has them."""
    blocks = re.findall(r"```bash\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [shlex.split(line)[2:] for line in lines if line.startswith("gateway models ")]


@dataclass
class Authority:
    """A certificate for 127.0.0.1 that is its own authority."""

    certificate: Path
    key: Path

    @property
    def ca(self) -> Path:
        return self.certificate


@pytest.fixture
def authority(tmp_path) -> Authority:
    made = Authority(tmp_path / "server.crt", tmp_path / "server.key")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", made.key, "-out", made.certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    return made


@pytest.fixture
def site(programs, tmp_path):
    made = Site(programs, tmp_path / "cloud")
    made.start()
    yield made
    made.device.close()


def test_a_promoted_version_reaches_the_gateway_and_every_step_is_reported(site) -> None:
    """On the API, in the journal, and in what `gateway models` prints."""
    site.repository.publish(packed(graphs.good()), "all")
    site.until("version 1 is good", active=1, state="good")
    wait_until(lambda: len(site.events()) == 6, 10, "all steps are journalled")
    wait_until(lambda: reported(site)["models"][0]["state"] == "good", 10, "MQTT says so too")
    states = ["downloading", "verified", "checked", "shadow", "active", "good"]
    assert [state for _, state, _ in site.events()] == states
    listed = json.loads(site.command("list", "--json").stdout)
    assert [(row["model"], row["active"], row["state"]) for row in listed] == [("m", 1, "good")]
    assert "serial 1" in site.command("status").stdout


@pytest.mark.parametrize(
    ("graph", "reason"),
    [
        (graphs.raises_when_hot(), "out of data bounds"),
        (graphs.stalls_when_hot(), "did not answer"),
        (graphs.nan_when_hot(), "not finite"),
    ],
)
def test_a_version_that_goes_wrong_on_live_readings_ends_on_the_last_good_one(
    site, graph, reason
) -> None:
    """Readings are acknowledged all the time, and the reason is in the journal."""
    site.repository.publish(packed(graphs.good()), "all")
    site.until("version 1 is good", active=1, state="good")
    site.repository.publish(packed(graph), "canary")
    site.until("version 2 runs", active=2)
    site.until("version 1 runs again", a=60.0, active=1, last_refused=2)
    assert reason in site.slot()["reason"]
    wait_until(lambda: site.events()[-1][1] == "rolled_back", 10, "the rollback is journalled")


def test_a_version_that_calls_everything_faulty_never_becomes_active(site) -> None:
    """Shadow is what it is for."""
    site.repository.publish(packed(graphs.good()), "all")
    site.until("version 1 is good", active=1, state="good")
    site.repository.publish(packed(graphs.good(), threshold=0.1), "canary")
    site.until("version 2 is refused", last_refused=2, candidate=None, active=1)
    assert "faulty" in site.slot()["reason"]
    assert (2, "active", "") not in [(version, state, "") for version, state, _ in site.events()]


def test_a_first_version_that_fails_its_gate_leaves_no_model_and_everybody_hears_why(site) -> None:
    """On MQTT, in the journal and by command; the next version starts from nothing."""
    site.repository.publish(packed(graphs.nan_when_hot()), "all")
    site.until("version 1 is refused", a=60.0, last_refused=1, active=None, candidate=None)
    wait_until(lambda: site.events()[-1][1] == "rejected", 10, "the refusal is journalled")
    wait_until(lambda: reported(site)["models"][0]["last_refused"] == 1, 10, "MQTT says so too")
    said = reported(site)["models"][0]
    assert (said["state"], "not finite" in said["reason"]) == ("none", True)
    assert "nothing runs" in site.command("list").stdout
    site.repository.publish(packed(graphs.good()), "all")
    site.until("version 2 is good", active=2, state="good")


def test_a_manifest_that_names_inputs_which_nobody_sends_is_refused(site) -> None:
    """After a while, by name."""
    lies = packed(graphs.good(), features=(("a", ""), ("pressure", "Pa")))
    site.repository.publish(lies, "all")
    site.until("version 1 is refused", last_refused=1)
    assert "no device sends pressure" in site.slot()["reason"]


def test_a_rollback_by_hand_and_a_revocation_both_end_on_the_version_before(site) -> None:
    """The one is this site's will, the other the publisher's."""
    for version in (1, 2, 3):
        site.repository.publish(packed(graphs.good()), "all")
        site.until("it is good", active=version, state="good")
    done = site.command("rollback", "m", "--reason", "false alarms")
    assert done.returncode == 0, done.stderr
    site.until("version 2 runs", active=2, last_refused=3)
    assert site.slot()["reason"] == "false alarms"
    site.repository.releases.revoke("m", 2, "trained on wrong data")
    assert site.command("check").returncode == 0
    site.until("version 1 runs", active=1)


@pytest.mark.parametrize("when", ["candidate", "active"])
def test_power_cuts_in_the_middle_of_a_switch_leave_one_whole_version(site, when) -> None:
    """SIGKILL while a version is on its way and right after the switch, each time a newer one."""
    site.repository.publish(packed(graphs.good()), "all")
    site.until("version 1 is good", active=1, state="good")
    for version in (2, 3):
        site.repository.publish(packed(graphs.good()), "all")
        site.until("a switch begins", **{when: version})
        site.gateway.program.kill()
        [slot] = read_slots(site.gateway.data / "models" / "slots")
        assert slot.active in (version - 1, version)
        site.device.close()
        site.start()
        site.until("the new version is good all the same", active=version, state="good")


def test_the_commands_of_the_page_work_as_they_stand(site) -> None:
    """With this test's model in place of the pump's."""
    site.repository.publish(packed(graphs.good()), "all")
    site.until("version 1 is good", active=1, state="good")
    found = commands_of_the_page()
    assert [words[0] for words in found] == ["status", "check", "rollback", "retry"]
    for words in found:
        done = site.command(*["m" if word == "pump" else word for word in words])
        assert done.returncode == 0, done.stderr


def test_what_a_command_names_must_be_there(site) -> None:
    """Exit status 2, and what there is."""
    done = site.command("rollback", "nonsense")
    assert (done.returncode, "known: none yet" in done.stderr) == (2, True)


def test_a_signal_has_the_gateway_look_at_the_repository(programs, tmp_path) -> None:
    """SIGHUP, for whoever has no shell there but a service manager."""
    site = Site(programs, tmp_path / "cloud", poll_interval_s=3_600)
    site.start()
    wait_until(lambda: "serial 0" in site.command("status").stdout, 10, "the first look")
    site.repository.publish(packed(graphs.good()), "all")
    site.gateway.program.signal(signal.SIGHUP)
    site.until("version 1 is good", active=1, state="good")
    site.device.close()


def test_the_mirror_serves_what_was_verified_over_tls(programs, tmp_path, authority) -> None:
    """An agent's client gets a whole, signed version from it, and nothing that lies beside it."""
    site = Site(programs, tmp_path / "cloud", mirror=free_port(), tls=authority)
    site.start()
    site.repository.publish(packed(graphs.good()), "all")
    site.until("version 1 is good", active=1, state="good")
    address = f"https://127.0.0.1:{site.mirror}/models"
    about = Question(
        verb="", folder=str(tmp_path / "device"), source=address, root=str(site.repository.root),
        ca=str(authority.ca),
    )  # fmt: skip
    client = RemoteClient(about)
    assert client.refresh().wanted({}) == {"m": 1}
    assert (client.fetch("m", 1) / "model.onnx").read_bytes() == graphs.good()
    tls = ssl.create_default_context(cafile=authority.ca)
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{address}/%2e%2e/slots/m.json", context=tls, timeout=5)
    site.device.close()


def test_a_nudge_over_tls_is_answered_with_the_ca_that_it_names_only(
    programs, tmp_path, authority
) -> None:
    """On the mirror's listener: the gateway's own HTTP side never leaves its machine."""
    site = Site(programs, tmp_path / "cloud", poll_interval_s=3_600, mirror=free_port(), tls=authority)  # fmt: skip
    site.start()
    wait_until(lambda: "serial 0" in site.command("status").stdout, 10, "the first look")
    site.repository.publish(packed(graphs.good()), "all")
    url, token = f"https://127.0.0.1:{site.mirror}", site.token.read_text()
    with pytest.raises(TransportError, match="certificate verify failed"):
        nudge(url, token)
    nudge(url, token, ca=authority.ca)
    site.until("version 1 is good", active=1, state="good")
    site.device.close()


def test_a_repository_that_is_away_changes_nothing(site) -> None:
    """And `models status` says so."""
    site.repository.publish(packed(graphs.good()), "all")
    site.until("version 1 is good", active=1, state="good")
    site.repository.folder.rename(site.repository.folder.with_name("away"))
    wait_until(lambda: "no such folder" in site.command("status").stdout, 10, "the fault is shown")
    site.send(1.0)
    assert site.slot()["active"] == 1
