"""The commands of docs/how-to/models.md, in their order, on a lake of two simulated pumps."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from cloud_sync import cli
from edge_agent.inputs.simulated.pump import NAMES, SERIES, Pump
from headrace.models.client import ModelRepositoryClient
from headrace.models.sources import FolderSource
from tests.journals import START_US, Journal, batch
from tests.lakes import pipeline, settings

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "models.md"
SECONDS = 400


def publisher_commands() -> list[list[str]]:
    blocks = re.findall(r"```bash\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [shlex.split(line)[1:] for line in lines if line.startswith("cloud-sync models ")]


def fill(folder: Path) -> None:
    journal = Journal(folder / "gateway" / "journal.db")
    for number in (1, 2):
        pump = Pump(seed=number, step_s=1.0)
        values = [value for _ in range(SECONDS) for value in pump.step()]
        times = [START_US + 1_000_000 * second for second in range(SECONDS) for _ in NAMES]
        journal.append(
            f"pump-{number}", batch([*NAMES] * SECONDS, times, values), units=dict(SERIES)
        )
    journal.close()
    path = pipeline(settings(folder))
    path.land()
    path.register()


def test_the_publishers_commands_work_as_they_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys, training, publication, canary, all, renewal; a site then has version 1."""
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "headrace-data")
    commands = publisher_commands()
    assert [words[1] for words in commands] == [
        "init-repo", "train", "publish", "promote", "promote", "list", "refresh", "renew",
    ]  # fmt: skip
    for words in commands:
        done = CliRunner().invoke(cli.main, words)
        assert done.exit_code == 0, (words, done.output)
    client = ModelRepositoryClient(
        folder=tmp_path / "site",
        source=FolderSource(tmp_path / "repository"),
        trusted_root=(tmp_path / "keys" / "root.json").read_bytes(),
    )
    assert client.refresh().wanted({}) == {"pump": 1}
    assert client.manifest("pump", 1).lineage.snapshot
