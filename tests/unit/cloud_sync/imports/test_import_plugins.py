"""Every import plugin that is installed: its folder is complete, and its sample is what cloud-sync reads."""

from __future__ import annotations

import tomllib
from dataclasses import fields, is_dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cloud_sync.cli import main
from headrace.config import FaultList, PluginTable
from headrace.plugins import IMPORTS, find, names, read_plugins


def known(settings: type[Any]) -> set[str]:
    found = {field.name for field in fields(settings)} | {"job", "site", "schedule"}
    for field in fields(settings):
        inner = field.default_factory if is_dataclass(field.default_factory) else None
        found |= {each.name for each in fields(inner)} if inner else set()  # type: ignore[arg-type]
    return found


@pytest.mark.parametrize("name", names(IMPORTS))
def test_the_folder_has_a_sample_that_loads_and_a_readme(name: str) -> None:
    """Also with every line that stands there commented out."""
    plugin = find(IMPORTS, name)
    (table,) = tomllib.loads(plugin.sample())["imports"]
    assert table.pop("plugin") == name
    for key in ("job", "site", "schedule"):
        table.pop(key)
    found = FaultList()
    read_plugins(IMPORTS, (PluginTable("imports[0]", name, table),), found)
    missing_files = [fault for fault in found.faults if "no such file" not in fault.problem]
    assert missing_files == []
    said = [line[2:].split(" = ")[0] for line in plugin.sample().splitlines() if " = " in line and line.startswith("# ")]  # fmt: skip
    assert [key for key in said if key.isidentifier() and key not in known(plugin.config)] == []
    assert files(plugin.package).joinpath("README.md").is_file()


def test_files_is_among_them() -> None:
    """An entry point that got lost would leave the test above without a case."""
    assert "files" in names(IMPORTS)


def test_a_file_is_sniffed_imported_and_told_of(tmp_path: Path) -> None:
    """The proposal is a configuration that works as it stands."""
    runner = CliRunner()
    (tmp_path / "Pump Rig.csv").write_text(
        "Zeitpunkt;Druck;Pegel\n01.02.2024 03:04:05;1,5;2\n01.02.2024 03:04:06;2,5;3\n"
    )
    sniffed = runner.invoke(main, ["import", "sniff", str(tmp_path / "Pump Rig.csv")])
    assert sniffed.exit_code == 0, sniffed.output
    config = tmp_path / "cloud_sync.toml"
    config.write_text(
        f'[lake]\nuri = "{tmp_path}/lake"\n[spool]\nfolder = "{tmp_path}/imports"\n{sniffed.output}'
    )
    where = ["--config", str(config)]
    assert runner.invoke(main, ["check-config", *where]).exit_code == 0
    assert "nothing yet" in runner.invoke(main, ["import", "list", *where]).output
    done = runner.invoke(main, ["import", "run", "pump-rig", *where, "--json"])
    assert done.exit_code == 0, done.output
    assert '"imported":4,"landed":4,"registered":4' in done.stdout
    told = runner.invoke(main, ["import", "status", "pump-rig", *where]).output
    assert "2024-02-01T03:04:05.000Z" in told
    assert "import-pump-rig" in told
    assert runner.invoke(main, ["import", "run", "nobody", *where]).exit_code == 2
