"""``headrace grafana export``, as somebody with a Grafana runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from headrace.cli import main
from tests.dashboards.grafana import NAMES, load


def export(out: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["grafana", "export", "--out", str(out), *options])


def source(out: Path) -> dict[str, Any]:
    text = (out / "datasources" / "headrace.yaml").read_text(encoding="utf-8")
    (found,) = yaml.safe_load(text)["datasources"]
    return found


def test_a_folder_for_influxdb_1_has_source_dashboards_and_alert_rules(tmp_path: Path) -> None:
    """And says which files it wrote."""
    out = tmp_path / "provisioning"
    result = export(out, "--influx-url", "http://influxdb:8086", "--database", "iot", "--json")
    assert result.exit_code == 0, result.output
    written = {Path(name).relative_to(out).as_posix() for name in json.loads(result.output)}
    assert written == {
        "datasources/headrace.yaml",
        "dashboards/headrace.yaml",
        "alerting/headrace.yaml",
        *(f"dashboards/headrace/{name}.json" for name in NAMES),
    }
    assert source(out)["jsonData"]["dbName"] == "iot"
    assert "secureJsonData" not in source(out)
    for name in NAMES:
        path = out / "dashboards" / "headrace" / f"{name}.json"
        assert json.loads(path.read_text(encoding="utf-8")) == load(name)


def test_a_token_is_named_and_never_written(tmp_path: Path) -> None:
    """InfluxDB 2 takes it in a header; Grafana fills it in when it starts."""
    options = ("--influx-url", "https://influx:8086", "--bucket", "iot")
    assert export(tmp_path, *options, "--secret-env", "INFLUX_TOKEN").exit_code == 0
    assert source(tmp_path)["jsonData"]["httpHeaderName1"] == "Authorization"
    assert source(tmp_path)["secureJsonData"] == {"httpHeaderValue1": "Token ${INFLUX_TOKEN}"}
    assert export(tmp_path, *options, "--secret-file", "/run/secrets/token").exit_code == 0
    assert source(tmp_path)["secureJsonData"] == {
        "httpHeaderValue1": "Token $__file{/run/secrets/token}"
    }


def test_a_user_of_influxdb_1_has_a_password_from_the_environment(tmp_path: Path) -> None:
    """Which is Grafana's own way for that version."""
    options = ("--influx-url", "http://influx:8086", "--database", "iot", "--user", "reader")
    assert export(tmp_path, *options, "--secret-env", "INFLUX_PASSWORD").exit_code == 0
    assert source(tmp_path)["user"] == "reader"
    assert source(tmp_path)["secureJsonData"] == {"password": "${INFLUX_PASSWORD}"}


def test_files_of_others_in_the_folder_stay(tmp_path: Path) -> None:
    """An existing Grafana has a provisioning folder already."""
    other = tmp_path / "datasources" / "prometheus.yaml"
    other.parent.mkdir()
    other.write_text("apiVersion: 1\n")
    assert export(tmp_path, "--influx-url", "http://i:8086", "--database", "d").exit_code == 0
    assert other.read_text() == "apiVersion: 1\n"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--influx-url", "influx:8086", "--database", "d"], "expected http(s)://host:port"),
        (["--influx-url", "http://i:8086"], "give --database (InfluxDB 1) or --bucket (2, 3)"),
        (["--influx-url", "http://i:8086", "--database", "d", "--bucket", "b"], "give --database"),
        (["--influx-url", "http://u:p@i:8086", "--database", "d"], "no user or password in it"),
        (["--influx-url", "http://i:8086", "--bucket", "b", "--user", "u"], "takes a token alone"),
        (
            ["--influx-url", "http://i:8086", "--bucket", "b", "--secret-env", "A", "--secret-file", "b"],
            "not both",
        ),
    ],
)  # fmt: skip
def test_options_that_cannot_be_meant_are_refused(
    tmp_path: Path, options: list[str], said: str
) -> None:
    """Exit status 2, nothing written."""
    result = export(tmp_path / "out", *options)
    assert result.exit_code == 2
    assert said in result.output
    assert not (tmp_path / "out").exists()


def test_a_secret_given_for_a_name_is_not_repeated(tmp_path: Path) -> None:
    """It would stand in a terminal's history and in logs."""
    options = ["--influx-url", "http://i:8086", "--bucket", "b", "--secret-env", "s3cret-token=="]
    result = export(tmp_path, *options)
    assert result.exit_code == 2
    assert "s3cret" not in result.output


def test_a_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    """A file is in the way."""
    (tmp_path / "datasources").write_text("")
    result = export(tmp_path, "--influx-url", "http://i:8086", "--database", "d")
    assert result.exit_code == 1
    assert "cannot write" in result.output
    assert "--out" in result.output
