"""What enrolment writes into agent.toml, and what it leaves alone."""

from __future__ import annotations

import stat
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.config import SAMPLE_HEAD
from edge_agent.enrol.settings import as_toml, configured_device, write_settings
from headrace.errors import UsageError

UPLINK = {"host": "gw.local", "port": 8883, "tls": True, "ca": "/a/ca.crt", "cert": 'x"\\.crt'}


def edited(tmp_path, text):
    path = tmp_path / "agent.toml"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o640)
    write_settings(path, "pump-1", UPLINK)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# only a comment\n",
        SAMPLE_HEAD + '[[inputs]]\nplugin = "host"\n',
        'device = "my-device"\n[[inputs]]\nplugin = "host"\n',
        '[uplink]\nhost = "old" # why\nport = 1\n',
        '[uplink]\n[[inputs]]\nplugin = "host"\nhost = "not the uplink\'s"\n',
    ],
)
def test_the_file_reads_afterwards_as_before_with_the_new_settings(tmp_path, text):
    """In all usual layouts; every comment line is still there."""
    after = edited(tmp_path, text)
    data, before = tomllib.loads(after), tomllib.loads(text)
    assert data.pop("device") == "pump-1"
    assert data.pop("uplink") == before.pop("uplink", {}) | UPLINK
    before.pop("device", None)
    assert data == before
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        line for line in after.splitlines() if line.startswith("#")
    ]


@pytest.mark.parametrize(
    "text", ['uplink = {host = "inline"}\n', 'uplink.host = "dotted"\n', 'x = """\n[uplink]\nhost = "in a text"\n"""\n']
)  # fmt: skip
def test_a_layout_that_cannot_be_edited_safely_is_left_alone(tmp_path, text):
    """The settings are in the message, to paste."""
    path = tmp_path / "agent.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"gw\.local"):
        write_settings(path, "pump-1", UPLINK)
    assert path.read_text(encoding="utf-8") == text


def test_the_sample_names_nobody_yet(tmp_path):
    """So a device that was installed with the sample takes the name of its code."""
    path = tmp_path / "agent.toml"
    path.write_text(SAMPLE_HEAD, encoding="utf-8")
    assert configured_device(path) == ""
    path.write_text('device = "pump-9"\n', encoding="utf-8")
    assert configured_device(path) == "pump-9"


def test_no_file_says_how_to_make_one(tmp_path):
    """Before the code is used up."""
    with pytest.raises(UsageError, match="sample-config"):
        configured_device(tmp_path / "none.toml")


@settings(max_examples=50, deadline=None)
@given(
    st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"], exclude_characters="\x7f"))
)
def test_any_path_survives(path):
    """Quotes and backslashes are escaped."""
    assert tomllib.loads(as_toml("d", {"ca": path}))["uplink"]["ca"] == path
