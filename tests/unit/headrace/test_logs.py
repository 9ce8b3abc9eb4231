"""Log lines as people and as collectors get them."""

import json
import logging
import subprocess
import sys

import pytest
from click.testing import CliRunner

from gateway.cli import main
from headrace import logs


@pytest.fixture
def line():
    """One record through a formatter."""

    def line_(kind, text, *args, exc_info=None, **extra):
        record = logging.getLogger("gateway.test").makeRecord(
            "gateway.test", logging.WARNING, "f", 1, text, args, exc_info, extra=extra or None
        )
        return logs.Formatter(kind).format(record)

    return line_


def test_text_is_a_sentence_and_what_it_is_about(line):
    """Values with spaces are quoted, so that a line can be taken apart again."""
    found = line("text", "refused a %s", "batch", device="pump-1", reason="not a batch", offset=7)
    time, _, rest = found.partition(" ")
    assert time.endswith("Z")
    assert (
        rest == 'WARNING gateway.test: refused a batch device=pump-1 reason="not a batch" offset=7'
    )


def test_json_is_one_object_a_line_with_what_the_process_is_about(line, monkeypatch):
    """Site and program are in each, because lines of many machines meet."""
    monkeypatch.setattr(logs, "_bound", {})
    logs.bind(program="gateway", site="plant-1")
    found = json.loads(line("json", "two\nlines", device="pump-1", path=logs))
    assert found["event"] == "two\nlines"
    assert (found["level"], found["logger"], found["site"]) == (
        "warning",
        "gateway.test",
        "plant-1",
    )
    assert found["device"] == "pump-1"


def test_a_traceback_is_part_of_its_line(line):
    """As a field in JSON, below the line in text."""
    try:
        raise ValueError("no")
    except ValueError:
        info = sys.exc_info()
    assert "ValueError: no" in json.loads(line("json", "failed", exc_info=info))["exception"]
    assert line("text", "failed", exc_info=info).endswith("ValueError: no")


@pytest.mark.parametrize(
    ("words", "config", "is_json"),
    [([], "", False), ([], '[log]\nformat = "json"\n', True), (["--log-format", "json"], "", True),
     (["--log-format", "text"], '[log]\nformat = "json"\n', False)],
)  # fmt: skip
def test_the_command_decides_and_the_configuration_where_it_does_not(
    tmp_path, words, config, is_json
):
    """A real cloud-sync, whose first lines are about a journal that is not there."""
    path = tmp_path / "cloud-sync.toml"
    path.write_text(f'{config}[journal]\npath = "{tmp_path}/none.db"\n', encoding="utf-8")
    command = [sys.executable, "-m", "cloud_sync", "run", "--config", str(path), *words]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        first = running.stderr.readline()
        running.kill()
    assert first.startswith("{") is is_json, first
    if is_json:
        assert json.loads(first)["program"] == "cloud-sync"


def test_the_option_is_in_the_help():
    """Of every command that logs."""
    assert "--log-format" in CliRunner().invoke(main, ["run", "--help"]).output
