"""Who may reach the gateway's pages, as long as there is no login."""

from pathlib import Path

import pytest

from gateway.config import load_config
from headrace.errors import ConfigError


def written(folder: Path, text: str) -> Path:
    path = folder / "gateway.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_pages_without_login_stay_on_this_machine(tmp_path: Path) -> None:
    """Another address is refused, and the message says both ways out."""
    with pytest.raises(ConfigError, match=r"http\.host: .*reverse proxy.*allow_without_login"):
        load_config(written(tmp_path, '[http]\nhost = "0.0.0.0"\n'))


def test_a_container_may_listen_on_its_own_network_when_that_is_written_out(tmp_path: Path) -> None:
    """Then the engine's published port decides who reaches it."""
    text = '[http]\nhost = "0.0.0.0"\nallow_without_login = true\n'
    assert load_config(written(tmp_path, text)).http.host == "0.0.0.0"
