"""Who may ask from where is settled before anything listens; what is asked is read from requests."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path

import pytest

from headrace.errors import ConfigError, RequestError, UsageError
from headrace.serve import config, request
from headrace.serve.tokens import Tokens


def write(folder: Path, text: str) -> Path:
    path = folder / "serve.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_another_host_needs_tokens_and_tls(tmp_path: Path) -> None:
    """Both faults at once; a proxy with TLS is said in writing."""
    with pytest.raises(ConfigError) as found:
        config.load(write(tmp_path, '[serve]\nhost = "0.0.0.0"'))
    assert {fault.key for fault in found.value.faults} == {"serve.token_file", "serve.certfile"}
    (tmp_path / "tokens").write_text("x" * 16, encoding="utf-8")
    with_proxy = f'[serve]\nhost = "0.0.0.0"\nplain = true\ntoken_file = "{tmp_path / "tokens"}"'
    assert config.load(write(tmp_path, with_proxy)).serve.plain


def test_the_sample_is_what_the_defaults_are(tmp_path: Path) -> None:
    """Each key of ``[serve]`` that it shows, and no other."""
    text = files("headrace.serve").joinpath("sample.toml").read_text(encoding="utf-8")
    shown = config.load(write(tmp_path, text))
    assert shown.serve == config.Serve()
    secret = {"token_file", "certfile", "keyfile"}
    assert set(tomllib.loads(text)["serve"]) == set(config.Serve.__slots__) - secret


def test_options_that_exclude_each_other_are_refused(tmp_path: Path) -> None:
    """And a folder that is not there."""
    with pytest.raises(UsageError):
        config.choose(tmp_path / "serve.toml", tmp_path, None)
    with pytest.raises(UsageError, match="no data folder"):
        config.choose(None, tmp_path / "nowhere", 8088)


def test_a_token_file_without_a_token_is_a_fault(tmp_path: Path) -> None:
    """An endpoint that takes no token at all would be found out by its first user."""
    path = tmp_path / "tokens"
    path.write_text("# nothing\nshort\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="no token"):
        Tokens(path)


def test_the_format_is_what_the_client_likes_best() -> None:
    """As HTTP has it: weights, wildcards, and none that fits."""
    assert request.format_of("") == "json"
    assert request.format_of("*/*") == "json"
    assert request.format_of("text/csv;q=0.5, application/vnd.apache.arrow.stream") == "arrow"
    assert request.format_of("text/html, text/*;q=0.8, */*;q=0.1") == "csv"
    assert request.format_of("image/png", "csv") == "csv"
    for wrong in ("image/png", "text/csv;q=0", "text/csv;q=x"):
        with pytest.raises(RequestError):
            request.format_of(wrong)
