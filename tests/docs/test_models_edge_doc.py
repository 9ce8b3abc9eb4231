"""The configuration on docs/how-to/models.md loads as it stands, and so does what the samples say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge_agent.models import ModelsSettings
from gateway.config import GatewayConfig
from gateway.models import ModelRepositoryConfig
from headrace import config
from headrace.config import FaultList, read_table

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "models.md"


def blocks(of: str) -> list[str]:
    found = re.findall(r"```toml\n(# (?:gateway|agent)\.toml.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)  # fmt: skip
    return [block for block in found if block.startswith(f"# {of}.toml")]


@pytest.mark.parametrize("uncomment", [False, True])
def test_the_gateways_blocks_load(uncomment: bool) -> None:
    """Also with every commented key in force."""
    for block in blocks("gateway"):
        text = re.sub(r"^# (?=\[|\w+ = )", "", block, flags=re.MULTILINE) if uncomment else block
        loaded = config.load_text(text, GatewayConfig, source="page")
        assert isinstance(loaded.model_repository, ModelRepositoryConfig)


def test_the_commented_defaults_are_the_defaults() -> None:
    """What the page says that it is without the line."""
    text = re.sub(r"^# (?=\[|\w+ = )", "", blocks("gateway")[0], flags=re.MULTILINE)
    shown = config.load_text(text, GatewayConfig, source="page").model_repository
    usual = ModelRepositoryConfig()
    assert shown.gates == usual.gates
    for name in ("poll_interval_s", "shadow_s", "probation_s", "call_timeout_s"):
        assert getattr(shown, name) == getattr(usual, name)


def test_the_agents_block_loads() -> None:
    """As the ``[models]`` table of an agent."""
    import tomllib

    (block,) = blocks("agent")
    found = FaultList()
    settings = read_table(ModelsSettings, tomllib.loads(block)["models"], "models", found)
    assert found.faults == []
    assert settings is not None
    assert settings.enabled
