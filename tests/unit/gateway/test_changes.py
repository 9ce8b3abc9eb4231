"""Which differences between two configurations a running gateway takes over."""

import pytest

from gateway.config import load_config
from gateway.reload.changes import between, settings_of


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
    found = changes(read(""), read('site = "b"\n[broker]\nport = 1884\n[http]\nport = 5\n'))
    assert found.refused == ("site", "broker.port", "http.port")


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


def test_a_sparkplug_client_that_needs_a_certificate_of_its_own_needs_a_restart(read):
    """The site's CA makes one for each client at the start; groups may change at any time."""
    outside = '[broker]\nkind = "external"\nauth = "certificate"\n'
    on = outside + "[sparkplug]\nenabled = true\n"
    assert changes(read(outside), read(on)).refused == ("sparkplug.enabled",)
    assert changes(read(on), read(on + 'groups = ["a"]\n')).exchanged == ("sparkplug",)


def test_a_model_that_was_put_into_the_place_of_another_is_a_change(read, tmp_path):
    """Its folder is the same."""
    import shutil

    from gateway.inference import SHIPPED_MODELS

    shutil.copytree(SHIPPED_MODELS / "pump", tmp_path / "pump")
    text = f'[[models]]\npath = "{tmp_path / "pump"}"\n'
    before = read(text)
    assert not changes(before, read(text))
    (tmp_path / "pump" / "model.tflite").touch()
    assert changes(before, read(text)).exchanged == ("inference",)
