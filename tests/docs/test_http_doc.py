"""docs/how-to/http.md, run: its commands against a gateway, in order."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from gateway.config import load_config
from tests.http_ingest import http_site

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "http.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.S)


def test_the_configurations_are_sound(tmp_path):
    """Each that is for the gateway."""
    path = tmp_path / "gateway.toml"
    found = []
    for block in blocks("toml"):
        if block.startswith("# gateway.toml"):
            path.write_text(block)
            found.append(load_config(path).ingest.http.uses_tls)
    assert found == [False, True]


def test_the_commands_do_what_the_page_says(tmp_path):
    """One shell, as a reader types them; the port is the test's own."""
    with http_site(tmp_path) as site:
        shim = tmp_path / "bin" / "gateway"
        shim.parent.mkdir()
        shim.write_text(
            f'#!/bin/sh\nexec "{sys.executable}" -m gateway "$@" --config "{site.gateway.program.config}"\n'
        )
        shim.chmod(0o755)
        script = "set -e\n" + "\n".join(blocks("sh")) + '\necho "token $TOKEN"\n'
        done = subprocess.run(
            ["bash", "-c", f'PATH="{shim.parent}:$PATH"\n' + script.replace("8087", str(site.port))],
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        token = done.stdout.rsplit("token ", 1)[1].strip()
        for code in blocks("python"):
            exec(code.replace("8087", str(site.port)), {"TOKEN": token})  # noqa: S102
        found = [(device, name, value) for device, name, _, value in site.readings()]
    tank = "tank.level;site=north"
    assert sorted(found) == [
        ("pump-7", "tank.level;site=north", 1.53),
        ("pump-7", tank, 1.54),
        ("pump-7", tank, 1.55),
        ("pump-7", tank, 1.56),
        ("pump-7", tank, 1.57),
        ("pump-7", "tank/level", 1.53),
        ("web-1", "cpu.busy", 0.7),
    ]
