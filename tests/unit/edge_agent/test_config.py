"""The agent's configuration: every fault at once, and TLS unless the broker is here."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.config import UplinkSettings, load
from headrace.errors import ConfigError

GOOD = """
device = "pump-1"
[[inputs]]
plugin = "host"
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "agent.toml"
    path.write_text(text, encoding="utf-8")
    return path


def faults(tmp_path: Path, text: str) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path, text))
    return {fault.key: fault.problem for fault in caught.value.faults}


def test_a_device_and_an_input_are_enough(tmp_path: Path) -> None:
    """Everything else has a default."""
    config = load(written(tmp_path, GOOD))
    assert config.settings.buffer.loss_window_s == 1.0
    assert [chosen.key for chosen in config.inputs] == ["host-1"]


def test_every_fault_is_reported_at_once(tmp_path: Path) -> None:
    """The inputs' own too, also when the rest of the file is broken."""
    found = faults(
        tmp_path,
        """
device = "no spaces"
colour = "red"
[buffer]
loss_window_s = -1
[uplink]
port = 70000
[[inputs]]
plugin = "host"
interval_s = "fast"
[[inputs]]
plugin = "simulated"
fault = "gremlins"
[[inputs]]
plugin = "replay"
path = "missing.csv"
[[inputs]]
plugin = "opcua"
""",
    )
    assert set(found) == {
        "device", "colour", "buffer.loss_window_s", "uplink.port", "inputs[0].interval_s",
        "inputs[1].fault", "inputs[2].path", "inputs[3].plugin",
    }  # fmt: skip
    assert "known: exec, host, hwmon, iio" in found["inputs[3].plugin"]


def test_no_input_is_a_fault(tmp_path: Path) -> None:
    """An agent that samples nothing is a mistake."""
    assert "inputs" in faults(tmp_path, 'device = "a"')


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    """The hint names the command."""
    with pytest.raises(ConfigError, match="sample-config"):
        load(tmp_path / "none.toml")


def test_what_belongs_together_is_asked_for_together(tmp_path: Path) -> None:
    """Certificate and key, username and password, TLS files and TLS."""
    text = GOOD + '[uplink]\ncert = "c.pem"\nusername = "u"\n'
    found = faults(tmp_path, text)
    assert "cert and key" in found["uplink.cert"]
    assert "password_file" in found["uplink.username"]


def test_renewal_needs_the_files_that_enrolment_makes(tmp_path: Path) -> None:
    """Names and folder are how key and certificate are exchanged together; and an address by HTTPS."""
    for name in ("device.crt", "device.key", "other.key"):
        (tmp_path / name).touch()
    ours = f'cert = "{tmp_path}/device.crt"\nkey = "{tmp_path}/device.key"\ntls = true\n'
    head = f"{GOOD}[uplink]\n"
    load(written(tmp_path, f'{head}{ours}renew_from = "https://gateway:8443"\n'))
    for other in (ours.replace("device.key", "other.key"), "tls = true\n"):
        found = faults(tmp_path, f'{head}{other}renew_from = "https://gateway:8443"\n')
        assert "device.crt and device.key" in found["uplink.renew_from"]
    found = faults(tmp_path, f'{head}{ours}renew_from = "gateway:8443"\n')
    assert "https://" in found["uplink.renew_from"]


def test_inputs_have_keys_of_their_own(tmp_path: Path) -> None:
    """By id, else by plugin and place; the same key twice is a fault."""
    two = GOOD + '[[inputs]]\nplugin = "simulated"\n[[inputs]]\nplugin = "simulated"\nid = "b"\n'
    assert [chosen.key for chosen in load(written(tmp_path, two)).inputs] == [
        "host-1", "simulated-1", "b",
    ]  # fmt: skip
    twice = GOOD.replace('"host"', '"host"\nid = "x"') + '[[inputs]]\nplugin = "host"\nid = "x"\n'
    assert "inputs[1].id" in faults(tmp_path, twice)


@pytest.mark.parametrize(
    ("host", "tls", "uses"),
    [
        ("127.0.0.1", None, False),
        ("localhost", None, False),
        ("::1", None, False),
        ("broker.site", None, True),
        ("192.168.1.9", None, True),
        ("192.168.1.9", False, False),
        ("127.0.0.1", True, True),
    ],
)
def test_tls_is_on_unless_the_broker_is_here_or_it_is_switched_off_in_writing(
    host: str, tls: bool | None, uses: bool
) -> None:
    """Readings do not cross a network in the clear by accident."""
    assert UplinkSettings(host=host, tls=tls).uses_tls is uses
