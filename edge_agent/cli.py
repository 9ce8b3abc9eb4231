"""The ``edge-agent`` command.

Heavy modules are imported inside the commands that need them: ``--help`` answers at once, also on a
Pi, and ``run`` does not pay for sqlite-utils.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO, Any

import click

from headrace import __version__, logs
from headrace.commands import CONTEXT, reports_errors, verbose_option

# Copied from edge_agent.inputs.simulated.faults, which --help must not import; a test compares them.
FAULT_CHOICES = ("none", "bearing_wear", "cavitation", "blockage", "sensor_stuck")

config_option = click.option(
    "-c", "--config", "config_path", type=click.Path(path_type=Path), default=Path("agent.toml"),
    show_default=True, help="Configuration file.",
)  # fmt: skip
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
buffer_argument = click.argument("buffer_path", metavar="FILE", type=click.Path(path_type=Path))


@click.group(context_settings=CONTEXT)
@click.version_option(__version__, prog_name="edge-agent")
def main() -> None:
    """Sample readings on a device, keep them on disk, hand them to the gateway.

    \b
    Example:
      edge-agent sample-config --input host > agent.toml
      edge-agent run --config agent.toml
    """


@main.command()
@config_option
@click.option(
    "--exit-when-done", is_flag=True,
    help="End when every input has ended and everything is acknowledged.",
)  # fmt: skip
@verbose_option
@reports_errors
def run(config_path: Path, exit_when_done: bool) -> None:
    """Run the agent until SIGTERM or Ctrl-C.

    \b
    Example:
      edge-agent run --config agent.toml
    """
    from edge_agent.app import Agent
    from edge_agent.config import load

    config = load(config_path)
    logs.configure(config.settings.log)
    logs.bind(program="edge-agent", device=config.settings.device)
    Agent(config).run(exit_when_done=exit_when_done)


@main.command("check-config")
@config_option
@reports_errors
def check_config(config_path: Path) -> None:
    """Check a configuration. Every fault at once, exit status 2 if there is one.

    \b
    Example:
      edge-agent check-config --config agent.toml
    """
    from edge_agent.config import load

    config = load(config_path)
    inputs = ", ".join(chosen.key for chosen in config.inputs)
    for warning in config.warnings:
        click.echo(f"warning: {config_path}: {warning}", err=True)
    click.echo(f"{config_path}: device {config.settings.device}, inputs {inputs}: no faults")


@main.command("sample-config")
@click.option(
    "--input", "inputs", multiple=True, default=("host",), show_default=True,
    help="Plugin to show; may be given several times.",
)  # fmt: skip
@reports_errors
def sample_config(inputs: tuple[str, ...]) -> None:
    """Print a configuration to start from.

    \b
    Example:
      edge-agent sample-config --input host --input simulated > agent.toml
    """
    from edge_agent.config import SAMPLE_HEAD
    from headrace.plugins import INPUTS, find

    click.echo(SAMPLE_HEAD + "\n".join(find(INPUTS, name).sample() for name in inputs), nl=False)


@main.command()
@click.option("--toml", "as_toml", is_flag=True, help="Print [[inputs]] tables for agent.toml.")
@json_option
@click.option(
    "--sysfs", type=click.Path(path_type=Path), default=Path("/sys"), show_default=True,
    help="Where the kernel shows its devices.",
)  # fmt: skip
@click.option(
    "--dev", type=click.Path(path_type=Path), default=Path("/dev"), show_default=True,
    help="Where the serial ports are.",
)  # fmt: skip
@reports_errors
def discover(as_toml: bool, as_json: bool, sysfs: Path, dev: Path) -> None:
    """Show what this machine can measure, with its values now.

    \b
    Example:
      edge-agent discover
      edge-agent discover --toml >> agent.toml
    """
    from edge_agent import discover as discovery

    if as_toml and as_json:
        raise click.UsageError("--toml or --json, one of the two")
    found = discovery.find(sysfs=sysfs, dev=dev)
    if as_toml:
        click.echo(discovery.as_toml(found, sysfs=sysfs), nl=False)
    else:
        click.echo(discovery.as_json(found) if as_json else discovery.as_text(found))


@main.command()
@click.argument("output", type=click.File("w", lazy=True), default="-")
@click.option("--rows", type=click.IntRange(min=1), default=10_000, show_default=True)
@click.option("--hz", type=click.FloatRange(min=0, min_open=True), default=1.0, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--fault", type=click.Choice(FAULT_CHOICES), default="none", show_default=True)
@click.option(
    "--fault-after", type=click.FloatRange(min=0), default=0.0, help="Seconds until it starts."
)
@click.option(
    "--fault-ramp", type=click.FloatRange(min=0), default=10.0, show_default=True,
    help="Seconds in which it grows to its full size.",
)  # fmt: skip
@reports_errors
def simulate(
    output: IO[str], rows: int, hz: float, seed: int, fault: Any, fault_after: float,
    fault_ramp: float,
) -> None:  # fmt: skip
    """Write a simulated pump's CSV without waiting. Its columns are time and eight series.

    \b
    Example:
      edge-agent simulate --rows 100000 --hz 4 --seed 7 pump.csv
    """
    from edge_agent.inputs.simulated.faults import Fault
    from edge_agent.inputs.simulated.recording import write_recording

    chosen = Fault(fault, fault_after, fault_ramp)
    write_recording(output, rows=rows, seed=seed, hz=hz, fault=chosen)


@main.command()
@click.argument("gateway_url", metavar="GATEWAY_URL")
@click.argument("code", required=False)
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False),
    help="Folder for key and certificate; default: tls beside agent.toml, or /etc/headrace/tls.",
)  # fmt: skip
@click.option(
    "--write-config", "config_path", type=click.Path(path_type=Path, dir_okay=False),
    help="Put device and [uplink] into this agent.toml; otherwise they are printed.",
)  # fmt: skip
@click.option("--new-key", is_flag=True, help="Make a new key even if there is one.")
@click.option("--renew", is_flag=True, help="Next certificate by the present one, without a code.")
@click.option("--if-due", is_flag=True, help="With --renew: only in the last third of its life.")
@json_option
@reports_errors
def enroll(
    gateway_url: str, code: str | None, out: Path | None, config_path: Path | None, new_key: bool,
    renew: bool, if_due: bool, as_json: bool,
) -> None:  # fmt: skip
    """Get this device's certificate from the gateway. It wants the code of `gateway enroll`.

    The key is made here and stays here. A running agent renews its certificate by itself; --renew is for
    other clients, and takes effect when they connect next.

    \b
    Example:
      edge-agent enroll https://gateway.local:8443 4K7Q-9RTX-M2PD-0ZHN --write-config agent.toml
      edge-agent enroll https://gateway.local:8443 --renew --write-config agent.toml
    """
    from edge_agent.enrol import command, settings

    if renew == (code is not None):
        raise click.UsageError(
            "give the code that `gateway enroll` printed, or --renew without one"
        )
    done: command.Done | None
    if code is None:
        done = command.renew(gateway_url, out=out, config=config_path, if_due=if_due)
    else:
        done = command.enroll(gateway_url, code, out=out, config=config_path, new=new_key)
    if done is None:
        click.echo("not due yet: more than a third of the certificate's life is left", err=True)
        return
    device = done.issued.device
    if as_json:
        _echo_json({"device": device, "expires": done.issued.expires, "uplink": done.uplink})
        return
    click.echo(f"{device} is enrolled; its certificate is in {done.files.folder}", err=True)
    if config_path is None:
        click.echo(settings.as_toml(device, done.uplink))


@main.group()
def buffer() -> None:
    """Look into a buffer file, also while the agent runs.

    \b
    Example:
      edge-agent buffer stat buffer.db
    """


@buffer.command("ls")
@buffer_argument
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True)
@json_option
@reports_errors
def buffer_ls(buffer_path: Path, limit: int, as_json: bool) -> None:
    """List the oldest batches that are not acknowledged.

    \b
    Example:
      edge-agent buffer ls buffer.db --limit 5
    """
    from edge_agent.buffer.inspect import batches

    rows = batches(buffer_path, limit=limit)
    if as_json:
        _echo_json(rows)
        return
    click.echo(f"{'first_seq':>12} {'last_seq':>12} {'rows':>8} {'bytes':>10} clock")
    for row in rows:
        click.echo(
            f"{row['first_seq']:>12} {row['last_seq']:>12} {row['rows']:>8} {row['bytes']:>10} {row['clock']}"
        )


@buffer.command("stat")
@buffer_argument
@json_option
@reports_errors
def buffer_stat(buffer_path: Path, as_json: bool) -> None:
    """Count readings: sampled = acknowledged + buffered + dropped. And what is written to the card.

    \b
    Example:
      edge-agent buffer stat buffer.db --json
    """
    import dataclasses

    from headrace.buffer_stats import read_buffer_stats

    found = read_buffer_stats(buffer_path)
    stats = dataclasses.asdict(found) | {
        "written_bytes_per_day": found.written_bytes_per_day,
        "written_bytes_per_reading": found.written_bytes_per_reading,
    }
    if as_json:
        _echo_json(stats)
        return
    for name, value in stats.items():
        click.echo(f"{name:<26} {value if value not in (None, {}) else '-'}")


@buffer.command("export")
@buffer_argument
@click.option(
    "--format", "form", type=click.Choice(("csv", "json")), default="csv", show_default=True,
    help="CSV with a header line, or one JSON object a line.",
)  # fmt: skip
@click.option("-o", "--output", type=click.File("w", lazy=True), default="-")
@reports_errors
def buffer_export(buffer_path: Path, form: str, output: IO[str]) -> None:
    """Write the readings of a buffer file, decoded. Also of one that was moved aside as damaged.

    \b
    Example:
      edge-agent buffer export buffer.db --format csv -o readings.csv
    """
    from edge_agent.buffer.inspect import export

    count = export(buffer_path, output, form=form)
    click.echo(f"{count} readings", err=True)


def _echo_json(value: Any) -> None:
    import json

    json.dump(value, sys.stdout, indent=2)
    click.echo()
