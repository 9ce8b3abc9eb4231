"""The commands of docs/models.md, run as they stand but with two pumps instead of 24."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from gateway.inference import SHIPPED_MODELS
from headrace import cards

PAGE = Path(__file__).parents[2] / "docs" / "models.md"


def test_the_commands_that_made_the_shipped_model_make_one_like_it(tmp_path: Path) -> None:
    """Same features and units, a graph of the same size, and a threshold of the same order."""
    (commands,) = re.findall(r"```bash\n(.*?)```", PAGE.read_text(), re.DOTALL)
    programs = Path(sys.executable).parent
    subprocess.run(
        ["bash", "-euc", commands.replace("seq 101 124", "seq 101 102")],
        cwd=tmp_path,
        env=os.environ | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"},
        check=True,
        timeout=120,
    )
    made, graph = cards.read(tmp_path / "pump")
    shipped, shipped_graph = cards.read(SHIPPED_MODELS / "pump")
    assert made.features == shipped.features
    assert (made.name, made.trained_on, len(graph)) == (
        shipped.name,
        shipped.trained_on,
        len(shipped_graph),
    )
    assert 3 < made.threshold < 100
