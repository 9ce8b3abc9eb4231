"""What the files of Grafana's provisioning say: data source, folder of dashboards, alert rules.

A secret is never in them: Grafana reads it from a variable of its environment (``$NAME``) or from a
file (``$__file{…}``) when it starts. ``deleteDatasources`` is never in them either: it breaks
every dashboard and alert that refers to the source between two starts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from headrace.errors import UsageError
from headrace.grafana import DATASOURCE_UID
from headrace.grafana.rules import RULES, as_provisioned

#: Where Grafana finds the dashboards' JSON, seen from Grafana.
DASHBOARDS_PATH: Final = "/etc/grafana/provisioning/dashboards/headrace"

_URL: Final = re.compile(r"https?://[^\s/]+(/\S*)?")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HEADER: Final = {"apiVersion": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """Where Grafana finds a password or token: exactly one is set, or neither."""

    variable: str = ""
    file: str = ""

    def __str__(self) -> str:
        if self.file:
            return f"$__file{{{self.file}}}"
        return f"${{{self.variable}}}" if self.variable else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Influx:
    """The InfluxDB that Grafana asks.

    Attributes:
        bucket: set for InfluxDB 2 and 3, which map it to a database (DBRP) of the same name.
        database: set for InfluxDB 1.
        user: for InfluxDB 1 where it asks for one; ``secret`` is its password, or 2's token.
    """

    url: str
    database: str = ""
    bucket: str = ""
    user: str = ""
    secret: Secret = Secret()


def influx_of(
    *, url: str, database: str, bucket: str, user: str, secret_env: str, secret_file: str
) -> Influx:
    """The InfluxDB that the options of the command describe.

    Raises:
        UsageError: with everything that is wrong with them.
    """
    wrong = [
        problem
        for is_wrong, problem in (
            (not _URL.fullmatch(url), f"--influx-url: expected http(s)://host:port, got {url!r}"),
            ("@" in url, "--influx-url: no user or password in it; use --user and --secret-env"),
            (bool(database) == bool(bucket), "give --database (InfluxDB 1) or --bucket (2, 3)"),
            (bool(user and bucket), "--user is for InfluxDB 1; a bucket takes a token alone"),
            (bool(secret_env and secret_file), "give --secret-env or --secret-file, not both"),
            (
                bool(secret_env) and not _VARIABLE.fullmatch(secret_env),
                # Not repeated: whoever puts the secret itself here must not find it in a log.
                "--secret-env: expected the name of a variable, such as INFLUX_TOKEN",
            ),
        )
        if is_wrong
    ]
    if wrong:
        raise UsageError("; ".join(wrong), hint="see: headrace grafana export --help")
    secret = Secret(variable=secret_env, file=secret_file)
    return Influx(url=url, database=database, bucket=bucket, user=user, secret=secret)


def datasource(influx: Influx) -> dict[str, Any]:
    """datasources/headrace.yaml."""
    source: dict[str, Any] = {
        "name": "Headrace",
        "uid": DATASOURCE_UID,
        "type": "influxdb",
        "access": "proxy",
        "url": influx.url,
        "editable": False,
        "jsonData": {
            "version": "InfluxQL",
            "dbName": influx.bucket or influx.database,
            "httpMode": "POST",
            # Vitals come every 30 s: a finer interval would show holes that are none.
            "timeInterval": "10s",
        },
    }
    if influx.user:
        source["user"] = influx.user
    secret = str(influx.secret)
    if secret and influx.bucket:
        source["jsonData"]["httpHeaderName1"] = "Authorization"
        source["secureJsonData"] = {"httpHeaderValue1": f"Token {secret}"}
    elif secret:
        source["secureJsonData"] = {"password": secret}
    return {**_HEADER, "datasources": [source]}


def dashboards(path: str = DASHBOARDS_PATH) -> dict[str, Any]:
    """dashboards/headrace.yaml."""
    provider = {
        "name": "headrace",
        "folder": "Headrace",
        "folderUid": "headrace",
        "type": "file",
        "allowUiUpdates": False,
        "disableDeletion": False,
        "updateIntervalSeconds": 30,
        "options": {"path": path},
    }
    return {**_HEADER, "providers": [provider]}


def alerting() -> dict[str, Any]:
    """alerting/headrace.yaml."""
    group = {
        "orgId": 1,
        "name": "headrace",
        "folder": "Headrace",
        "interval": "1m",
        "rules": [as_provisioned(rule) for rule in RULES],
    }
    return {**_HEADER, "groups": [group]}
