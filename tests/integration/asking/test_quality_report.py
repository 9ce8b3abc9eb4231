"""The page about quality, and the commands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from cloud_sync import cli as cloud_sync_cli
from cloud_sync.lake.repairs import Repairs
from cloud_sync.raw import files as raw
from headrace import cli
from headrace.lake.opening import open_store
from headrace.landing import manifest_name
from tests.quality_site import DAY, MINUTES, START_US, Site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.journal.close()


def test_the_commands_judge_and_report(site: Site, tmp_path: Path) -> None:
    """A page that needs nothing else, and all remarks as JSON; names from devices are text in it."""
    wild = np.random.default_rng(2).normal(20.0, 0.5, MINUTES)
    wild[9] = 999.0
    site.say(
        "pump", [minute for minute in range(MINUTES) if not 600 < minute < 700], values=wild[:1341]
    )
    site.say("fan", range(MINUTES), name="<script>alert(1)</script>")
    site.bring()
    settings = ["--data", str(tmp_path)]
    run = CliRunner().invoke(
        cloud_sync_cli.main, ["quality", *settings, "--day", str(DAY), "--json"]
    )
    assert (run.exit_code, json.loads(run.stdout)[0]["series"]) == (0, 2), run.output
    out = tmp_path / "report.html"
    run = CliRunner().invoke(cli.main, ["quality", "report", *settings, "--out", str(out)])
    assert run.exit_code == 0, run.output
    assert "1 incomplete, 1 outliers" in run.output
    page = out.read_text(encoding="utf-8")
    assert page.count("<svg") == 3
    assert "the longest 1 h 40 min from 10:00:00 on" in page
    assert "<script>" not in page
    assert "http" not in page.replace('http-equiv="Content-Security-Policy"', "")
    run = CliRunner().invoke(
        cli.main, ["quality", "report", *settings, "--from", str(DAY), "--to", str(DAY), "--json"]
    )
    told = json.loads(run.stdout)
    assert [each["kind"] for each in told["remarks"]] == ["incomplete", "outliers"]
    assert told["totals"]["missing"] == 99


def test_what_is_in_quarantine_stands_in_the_report(site: Site, tmp_path: Path) -> None:
    """Landings that were given up, and refused payloads of its days where they are kept."""
    site.say("pump", range(MINUTES))
    site.round()
    store = open_store(site.config.lake)
    Repairs(store).give_up(manifest_name("test", "ab" * 8, 7, 9), "it burnt", rows=120)
    for day, device in ((DAY, "rude"), (DAY + timedelta(days=9), "later")):
        refused = [
            raw.Payload(
                "quarantined",
                number,
                START_US,
                device,
                "",
                0,
                0,
                0,
                "line",
                b"?",
                reason="bad_value",
            )
            for number in range(5)
        ]
        place = raw.path("test", "ab" * 8, str(day), 1, 5, quarantine=True)
        store.put(place, raw.encode(refused))
    out = tmp_path / "report.html"
    words = ["quality", "report", "--data", str(tmp_path), "--to", str(DAY)]
    run = CliRunner().invoke(cli.main, [*words, "--json"])
    told = json.loads(run.stdout)["refused"]
    assert told["given_up"] == [
        {"site": "test", "first": 7, "last": 9, "readings": 120, "why": "it burnt"}
    ]
    (payloads,) = told["payloads"]
    assert (payloads["device"], payloads["reason"], payloads["payloads"]) == (
        "rude",
        "bad_value",
        5,
    )
    assert CliRunner().invoke(cli.main, [*words, "--out", str(out)]).exit_code == 0
    page = out.read_text(encoding="utf-8")
    assert "it burnt" in page
    assert "5 payloads" in page


def test_the_commands_say_what_they_cannot_do(tmp_path: Path) -> None:
    """Status 2, with what to do."""
    (tmp_path / "lake").mkdir()
    for program, words, said in (
        (cli.main, ["quality", "report", "--data", str(tmp_path)], "no table of quality yet"),
        (cli.main, ["quality", "report", "--from", "yesterday"], "expected YYYY-MM-DD"),
        (cloud_sync_cli.main, ["quality", "--day", "x"], "expected YYYY-MM-DD"),
        (cloud_sync_cli.main, ["quality", "--day", "2026-11-22", "--all"], "exclude each other"),
    ):
        run = CliRunner().invoke(program, words)
        assert (run.exit_code, said in run.output) == (2, True), run.output
    run = CliRunner().invoke(cloud_sync_cli.main, ["quality", "--data", str(tmp_path)])
    assert (run.exit_code, "nothing to judge" in run.output) == (0, True)
