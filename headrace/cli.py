"""The ``headrace`` command: what is not about one of the three programs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from headrace import __version__
from headrace.catalog.commands import catalog
from headrace.commands import CONTEXT, reports_errors
from headrace.quality.commands import quality
from headrace.query.commands import query
from headrace.serve.commands import serve


@click.group(context_settings=CONTEXT)
@click.version_option(__version__, prog_name="headrace")
def main() -> None:
    """Edge-to-cloud IoT data pipeline: ask the lake, try the whole system.

    \b
    Example:
      headrace query "SELECT device, count(*) FROM readings GROUP BY device"
    """


for command in (query, serve, catalog, quality):
    main.add_command(command)


@main.command()
@click.option(
    "--seconds", type=click.FloatRange(min=1), help="Stop after this long. Default: at Ctrl-C."
)
@click.option(
    "--data", type=click.Path(path_type=Path, file_okay=False), default=Path("headrace-data"),
    show_default=True, help="Where everything is kept; a second run goes on there.",
)  # fmt: skip
@reports_errors
def demo(seconds: float | None, data: Path) -> None:
    """Run the whole system here and prove that nothing is lost.

    Nor doubled: every reading is followed from the sensor to the lake.

    Broker and gateway, an agent on this machine's own metrics, three simulated pumps of which one
    develops a fault, edge inference, alerts, a local lake and a live page. Exit status 1 if anything
    was lost or doubled.

    \b
    Example:
      headrace demo --seconds 60 --data /tmp/headrace
    """
    from rich.console import Console

    from headrace.demo.run import run_demo

    sys.exit(0 if run_demo(data, seconds, Console()) else 1)


@main.group()
def grafana() -> None:
    """Show what the gateways write to InfluxDB in Grafana.

    \b
    Example:
      headrace grafana export --influx-url http://influxdb:8086 --database iot --out provisioning
    """


@grafana.command("export")
@click.option(
    "--influx-url", required=True, help="InfluxDB as Grafana reaches it: http://influxdb:8086."
)
@click.option("--database", default="", help="InfluxDB 1: the database that the sink writes to.")
@click.option(
    "--bucket", default="", help="InfluxDB 2, 3: the bucket, mapped to a database (DBRP)."
)
@click.option("--user", default="", help="InfluxDB 1 with passwords: the user to ask as.")
@click.option(
    "--secret-env", default="", metavar="NAME",
    help="Variable in Grafana's environment that holds the password or token.",
)  # fmt: skip
@click.option(
    "--secret-file", default="", metavar="PATH",
    help="File on Grafana's machine that holds the password or token.",
)  # fmt: skip
@click.option(
    "--path", default="/etc/grafana/provisioning/dashboards/headrace", show_default=True,
    help="Where dashboards/headrace of the folder will be on Grafana's machine.",
)  # fmt: skip
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, file_okay=False),
    help="The folder to write; other files in it are left alone.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the files written as JSON.")
@reports_errors
def grafana_export(
    influx_url: str, database: str, bucket: str, user: str, secret_env: str, secret_file: str,
    path: str, out: Path, as_json: bool,
) -> None:  # fmt: skip
    """Write a provisioning folder for an existing Grafana.

    It has the data source, four dashboards and the alert rules.

    Copy it into /etc/grafana/provisioning and restart Grafana. A password or token is never written:
    Grafana reads it where --secret-env or --secret-file says.

    \b
    Examples:
      headrace grafana export --influx-url http://influxdb:8086 --database iot --out provisioning
      headrace grafana export --influx-url http://influxdb:8086 --bucket iot \\
        --secret-env INFLUX_TOKEN --out provisioning
    """
    from headrace.grafana.export import export
    from headrace.grafana.provisioning import influx_of

    influx = influx_of(
        url=influx_url, database=database, bucket=bucket, user=user,
        secret_env=secret_env, secret_file=secret_file,
    )  # fmt: skip
    written = export(out, influx, path)
    if as_json:
        click.echo(json.dumps([str(file) for file in written]))
        return
    for file in written:
        click.echo(file)


@main.command("demo-models")
@click.option(
    "--data", type=click.Path(path_type=Path, file_okay=False),
    default=Path("headrace-models-demo"), show_default=True,
    help="A folder of its own; what an earlier run left there is removed.",
)  # fmt: skip
@reports_errors
def demo_models(data: Path) -> None:
    """Push three versions of a model to two sites, and watch.

    Each is trained on readings that came to the lake before. A good one reaches all, a bad one is
    rolled back by the canary itself, a better one reaches every gateway and device. Takes about two
    minutes. Exit status 1 if a step does not come true.

    \b
    Example:
      headrace demo-models --data /tmp/headrace-models
    """
    from rich.console import Console

    from headrace.demo.models_story import run_models_demo

    run_models_demo(data, Console())


if __name__ == "__main__":
    main()
