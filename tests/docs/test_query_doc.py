"""docs/how-to/query.md and the notebook, run over an hour of the demo's pumps."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.docs.pumps import make_pumps
from tests.servers import free_port

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "query.md").read_text(encoding="utf-8")
NOTEBOOK = ROOT / "docs" / "notebooks" / "explore.ipynb"


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.S)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_pumps(tmp_path / "headrace-data")
    return tmp_path


def test_the_commands_do_what_the_page_says(folder: Path) -> None:
    """One shell, as a reader types them; then Python, while the endpoint still runs."""
    port = str(free_port())
    shim = folder / "bin" / "headrace"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m headrace.cli "$@"\n', encoding="utf-8")
    shim.chmod(0o755)
    (config_block,) = blocks("toml")
    (folder / "serve.toml").write_text(config_block, encoding="utf-8")
    (folder / "python.py").write_text(
        "\n".join(blocks("python")).replace("8088", port), encoding="utf-8"
    )
    script = "set -e\ntrap 'kill %1' EXIT\n" + "\n".join(blocks("sh")).replace("8088", port)
    script += f"\n{sys.executable} python.py\n"
    environment = os.environ | {
        "PATH": f"{shim.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, timeout=150,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout
    assert re.search(r"1 of 2 files, [\d,]+ bytes; [\d,]+ readings of the journal's tail", said), (
        said
    )
    assert '{"readings":14400}' in said
    assert "serve.toml: ok" in said
    assert "1200 8 [" in said
    assert "14400 readings" in said
    assert (folder / "shakes.csv").read_text(encoding="utf-8").startswith("time,value")


def test_the_notebook_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell, with two pictures; what is kept in the repository has no output."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}})
    client.execute()
    kinds = [
        kind
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        for kind in output.get("data", {})
    ]
    assert kinds.count("image/png") == 2
