"""Which differences between two configurations a running gateway takes over."""

import pytest

from gateway.changes import between, settings_of
from gateway.config import load_config


@pytest.fixture
def read(tmp_path):
    """A configuration from text, with a token file beside it."""

    def read_(text):
        path = tmp_path / "gateway.toml"
        path.write_text(f'data_dir = "{tmp_path}"\n{text}', encoding="utf-8")
        config = load_config(path)
        return config, settings_of(config)

    return read_


def changes(old, new):
    return between(old[0], new[0], old[1], new[1])


def test_the_same_file_changes_nothing(read):
    """A signal too many is harmless."""
    found = changes(read(""), read(""))
    assert not found
    assert found.lines() == ("nothing has changed",)


def test_keys_that_need_a_restart_are_named(read):
    """As they stand in the file."""
    found = changes(read(""), read('site = "b"\n[broker]\nport = 1884\n[vitals]\ninterval_s = 5\n'))
    assert found.refused == ("site", "broker.port", "vitals.interval_s")


def test_limits_may_change_and_what_devices_were_promised_may_not(read):
    """Both stand beside keys of the other kind."""
    found = changes(
        read(""),
        read('[journal]\nack_after = "lake"\nmax_bytes = 99_000_000\n[limits]\nmax_series = 5\n'),
    )
    assert found.refused == ("journal.ack_after",)
    assert sorted(found.limits) == ["journal.ack_after", "journal.max_bytes", "limits.max_series"]


def test_a_secret_that_was_renewed_in_its_file_is_a_change(read, tmp_path):
    """The configuration itself reads as before."""
    text = '[[sinks]]\nplugin = "influxdb"\nbucket = "b"\ntoken_file = "{}"\n'
    secret = tmp_path / "token"
    secret.write_text("old")
    before = read(text.format(secret))
    secret.write_text("new")
    found = changes(before, read(text.format(secret)))
    assert found.exchanged == ("sink/influxdb",)
    assert found.refused == ()
