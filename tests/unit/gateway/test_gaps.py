"""``gateway gaps``: a hole is named."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from gateway import cli
from tests.batches import payload

STREAM = "0123456789abcdef"


@pytest.fixture
def config(tmp_path, open_journal, arrive):
    """A journal in which pump-7 lacks 1-3 and 11-20, and the others nothing."""
    writer = open_journal()
    sent = [("pump-7", 4, 7), ("pump-7", 21, 5), ("pump-8", 1, 9)]
    writer.commit([arrive(device, payload(STREAM, *part)) for device, *part in sent], [], [])
    writer.commit([arrive("mcu", b'[{"n":"level","v":1.5}]', "senml-json")], [], [])
    path = tmp_path / "gateway.toml"
    path.write_text(f'data_dir = "{tmp_path}"\n')
    return path


def gaps(config, *words: str) -> str:
    done = CliRunner().invoke(cli.main, ["gaps", "--config", str(config), *words])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_gaps_are_named_by_device_stream_and_number(config):
    """For a person who calls whoever owns pump-7."""
    expected = f"pump-7 lacks 13 readings of stream {STREAM}: 1-3, 11-20\n"
    assert gaps(config) == expected


def test_gaps_are_there_for_scripts(config):
    """Devices that lack nothing are left out."""
    assert json.loads(gaps(config, "--json")) == {"pump-7": {STREAM: [[1, 3], [11, 20]]}}


def test_a_glob_chooses_devices(config):
    """And nothing to say is said."""
    assert gaps(config, "--device", "pump-8") == "no gaps\n"
    assert json.loads(gaps(config, "--device", "*-7", "--json")).keys() == {"pump-7"}
