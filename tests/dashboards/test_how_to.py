"""docs/how-to/grafana.md, done as it says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.config import GatewayConfig, load_config
from gateway.rules.consumer import RulesConsumer
from gateway.vitals.look import Vital, derived
from headrace.cli import main
from headrace.derived import decode_alert
from headrace.metrics import Metrics
from tests.dashboards.grafana import NAMES
from tests.dashboards.site import DATABASE, SENSOR, Site
from tests.gateway_entries import SECOND, START, journalled

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "grafana.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)


def commands(first: str) -> list[list[str]]:
    lines = "\n".join(blocks("sh")).replace("\\\n", " ").splitlines()
    return [shlex.split(line)[1:] for line in lines if line.startswith(first)]


@pytest.mark.parametrize("words", commands("headrace grafana export"), ids=" ".join)
def test_the_export_commands_write_a_folder(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each as it stands there, run in an empty folder."""
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    written = {path.stem for path in (tmp_path / "provisioning").rglob("*.json")}
    assert written == set(NAMES)


def test_the_query_finds_the_gateways_readings(seen: Site) -> None:
    """They are in journal and lake like any other."""
    (words,) = commands("headrace query")
    result = CliRunner().invoke(main, [*words, "--data", str(seen.folder), "--format", "csv"])
    assert result.exit_code == 0, result.output
    silent = dict(line.split(",")[:2] for line in result.stdout.strip().splitlines()[1:])
    assert float(silent[SENSOR]) > 3


def test_the_statement_behind_the_variables_is_one(seen: Site) -> None:
    """What the page gives to curl."""
    (statement,) = re.findall(r"'q=(SHOW TAG VALUES [^']*)'", PAGE)
    assert [SENSOR] in [row[1:] for row in seen.influx.query(statement, DATABASE)]


def config(tmp_path: Path) -> GatewayConfig:
    path = tmp_path / "gateway.toml"
    path.write_text("\n".join(blocks("toml")), encoding="utf-8")
    return load_config(path)


def test_its_tables_are_a_gateways_configuration(tmp_path: Path) -> None:
    """All of them together."""
    settings = config(tmp_path)
    assert settings.vitals.enabled
    assert [table.plugin for table in settings.sinks] == ["influxdb"]


def test_its_rule_watches_the_gateway_itself(tmp_path: Path) -> None:
    """A sink that stays behind raises an alert of the gateway's device; another series none."""
    rules = RulesConsumer(config(tmp_path).rules, Metrics("gateway"), START)
    said = []
    for seconds in (0, 30, 60, 90, 120, 150):
        time = START + seconds * SECOND
        found = [Vital("lag_s/sink/influxdb", time, 700.0), Vital("lag_s/lake", time, 9_999.0)]
        entries = journalled(derived([("gateway-site-1", vital) for vital in found]), received_at=time)  # fmt: skip
        outcome = rules.step(entries, time)
        rules.committed(outcome)
        said += [
            (one.device, row["text"]) for one in outcome.derived for row in one.rows.to_pylist()
        ]
    assert [(device, decode_alert(text).state) for device, text in said] == [
        ("gateway-site-1", "pending"),
        ("gateway-site-1", "firing"),
    ]
    assert decode_alert(said[-1][1]).series == "gateway/lag_s/sink/influxdb"
