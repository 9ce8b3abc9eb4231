"""docs/how-to/catalog.md and quality.md: their commands run over an hour of the demo's pumps."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cloud_sync import config
from headrace.catalog.words import QUALITY
from tests.docs.pumps import make_pumps

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
PAGES = {
    name: (HOW_TO / f"{name}.md").read_text(encoding="utf-8") for name in ("catalog", "quality")
}


def blocks(page: str, kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGES[page], re.S)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("plant")
    make_pumps(made / "headrace-data")
    (made / "cloud_sync.toml").write_text(blocks("catalog", "toml")[0], encoding="utf-8")
    return made


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_do_what_the_page_says(page: str, folder: Path) -> None:
    """One shell, as a reader types them."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", "set -e\n" + "".join(blocks(page, "sh"))], cwd=folder,
        env=os.environ | {"PATH": path}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    if page == "catalog":
        assert "24 series of 3 devices at 1 sites" in done.stdout
        assert "owner=maintenance" in done.stdout
        assert "flow" in (folder / "flows.json").read_text(encoding="utf-8")
    else:
        assert "24 series, 14,400 readings" in done.stdout
        assert (folder / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize("example", blocks("catalog", "toml") + blocks("quality", "toml"))
def test_every_example_is_a_configuration(example: str, tmp_path: Path) -> None:
    """With nothing to complain about."""
    path = tmp_path / "cloud_sync.toml"
    path.write_text(example, encoding="utf-8")
    config.load(path)


def test_the_columns_of_the_page_are_those_of_the_table() -> None:
    """A column that was renamed would be looked for in vain."""
    rows = re.findall(r"^\| (`.*?) \|", PAGES["quality"], re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert named <= set(QUALITY.columns)
