"""What the documents say is compared with what is there."""

from __future__ import annotations

import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import click
import pytest

import cloud_sync.cli
import edge_agent.cli
import gateway.cli
import headrace.cli
from tests.docs import metrics_table

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMANDS = {
    "headrace": headrace.cli.main,
    "edge-agent": edge_agent.cli.main,
    "gateway": gateway.cli.main,
    "cloud-sync": cloud_sync.cli.main,
}


def ids(pages: list[Path]) -> list[str]:
    return [str(page.relative_to(ROOT)) for page in pages]


@pytest.mark.parametrize("page", PAGES, ids=ids(PAGES))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link names a file that is there."""
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=ids(PAGES))
def test_toml_in_documents_is_toml(page: Path) -> None:
    """An example that cannot be pasted is worse than none."""
    for block in re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), re.S):
        tomllib.loads(block)


def command_lines(page: Path) -> list[list[str]]:
    """Lines of shell blocks that call one of our commands."""
    found = []
    blocks = re.findall(r"```(?:sh|bash|console)\n(.*?)```", page.read_text(encoding="utf-8"), re.S)
    for line in "\n".join(blocks).replace("\\\n", " ").splitlines():
        words = shlex.split(line.lstrip("$ "), comments=True)
        if words and Path(words[0]).name in COMMANDS:
            found.append([Path(words[0]).name, *words[1:]])
    return found


@pytest.mark.parametrize("page", PAGES, ids=ids(PAGES))
def test_commands_in_documents_exist_with_their_options(page: Path) -> None:
    """Subcommands and long options of every example are those of the program."""
    for name, *words in command_lines(page):
        command: click.Command = COMMANDS[name]
        while isinstance(command, click.Group) and words:
            command = command.commands[words.pop(0)]
        options = {
            option for each in command.params for option in (*each.opts, *each.secondary_opts)
        }
        for word in words:
            if word.startswith("--"):
                assert word.split("=")[0] in options, f"{name} {command.name}: {word}"


def test_the_metrics_table_is_the_one_in_the_code() -> None:
    """docs/gateway.md lists every metric of the gateway."""
    written = metrics_table.PAGE.read_text(encoding="utf-8").split(metrics_table.MARK)[1]
    assert written == metrics_table.table(), "run: python -m tests.docs.metrics_table"


def test_no_tracked_file_names_a_registry_or_a_home() -> None:
    """Installs go by package name; pins hold no addresses."""
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    hosts = re.compile(
        "files.python" + "hosted|pypi" + r"\.org|registry\.npm" + "js|deb.debian" + r"\.org"
    )
    for name in tracked:
        path = ROOT / name
        if path.suffix in {".png", ".tflite"} or not path.is_file():
            continue
        assert not hosts.search(path.read_text(encoding="utf-8", errors="replace")), name
