from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import load_config
from gateway.models.config import judged_relatively
from headrace.errors import ConfigError


def faults(folder: Path, text: str) -> str:
    path = folder / "gateway.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load_config(path)
    return str(error.value)


def test_every_fault_of_the_table_is_named(tmp_path) -> None:
    """With its key, before anything starts."""
    text = """
[[models]]
name = "pump"
[model_repository]
source = "somewhere"
shadow = 3
[[model_repository.models]]
name = "pump"
"""
    assert "model_repository.shadow: unknown key; did you mean 'shadow_s'?" in faults(
        tmp_path, text
    )
    found = faults(tmp_path, text.replace("shadow = 3\n", ""))
    assert "model_repository.root: missing" in found
    assert "'pump' is in [[models]] too" in found


def test_a_mirror_beyond_this_machine_wants_a_certificate(tmp_path) -> None:
    """Or a written tls = false."""
    (tmp_path / "root.json").write_text("{}")
    text = f"""
[model_repository]
source = "somewhere"
root = "{tmp_path / "root.json"}"
[model_repository.mirror]
host = "0.0.0.0"
port = 8443
"""
    assert "model_repository.mirror.certfile: missing" in faults(tmp_path, text)
    (tmp_path / "gateway.toml").write_text(text + "tls = false\n")
    assert load_config(tmp_path / "gateway.toml").model_repository.enabled


def test_a_rule_on_a_model_of_the_repository_outlives_its_versions(tmp_path) -> None:
    """It looks at scores over their threshold: that belongs to the version."""
    (tmp_path / "root.json").write_text("{}")
    (tmp_path / "gateway.toml").write_text(f"""
[model_repository]
source = "somewhere"
root = "{tmp_path / "root.json"}"
[[model_repository.models]]
name = "press"
[[rules]]
name = "odd"
kind = "score"
model = "press"
""")
    config = load_config(tmp_path / "gateway.toml")
    (rule,) = judged_relatively(config.rules, config.model_repository)
    assert (rule.kind, rule.series, rule.value) == ("threshold", "model/press/relative", 1.0)
