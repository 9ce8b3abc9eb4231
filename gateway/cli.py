"""The ``gateway`` command."""

from __future__ import annotations

import asyncio
import sys
from importlib.resources import files
from pathlib import Path

import click
import msgspec

from gateway.commands.enrol import COMMANDS as ENROL_COMMANDS
from gateway.commands.gaps import gaps
from gateway.commands.models import models
from gateway.commands.options import config_option, json_option, load
from gateway.commands.token import token
from gateway.doctor.command import doctor
from gateway.journal_tools.commands import journal
from headrace import __version__, logs, memory, plugins
from headrace.commands import CONTEXT, reports_errors, verbose_option
from headrace.errors import UsageError


@click.group(context_settings=CONTEXT)
@click.version_option(__version__, prog_name="gateway")
def main() -> None:
    """Run and look at the gateway of one site.

    \b
    Example:
      gateway sample-config > gateway.toml
      gateway check-config --config gateway.toml
      gateway run --config gateway.toml
    """


@main.command()
@config_option
@verbose_option
@reports_errors
def run(config_path: Path) -> None:
    """Run the gateway until SIGTERM or Ctrl-C. SIGHUP reads the configuration again.

    \b
    Example:
      gateway run --config gateway.toml
    """
    config = load(config_path)
    from gateway import app, running
    from gateway.assembly import assemble

    memory.keep_freed()

    async def start() -> None:
        await app.run(assemble(config), config_path)

    logs.configure(config.log)
    logs.bind(program="gateway", site=config.site)
    with running.claim(config.data_dir):
        asyncio.run(start())


@main.command()
@config_option
@json_option
@reports_errors
def reload(config_path: Path, as_json: bool) -> None:
    """Have the running gateway read its configuration again. Exit status 1 if it refuses.

    Rules, notify targets, sinks and the journal's limits change at a batch boundary. Anything else
    needs a restart, and a file that is not sound changes nothing.

    \b
    Example:
      gateway reload --config gateway.toml
    """
    from gateway.running import ask_to_reload

    answer = ask_to_reload(load(config_path).data_dir)
    if as_json:
        click.echo(msgspec.json.encode(answer))
    else:
        click.echo("\n".join(answer.lines))
    sys.exit(0 if answer.ok else 1)


@main.command("check-config")
@config_option
@reports_errors
def check_config(config_path: Path) -> None:
    """Check a configuration as a whole. Exit status 2 and every fault if there are any.

    \b
    Example:
      gateway check-config --config gateway.toml
    """
    load(config_path)
    click.echo(f"{config_path}: OK")


@main.command("sample-config")
@click.option("--sink", help="Print the sample of one sink plugin instead.")
@click.option("--source", help="Print the sample of one source plugin instead.")
@reports_errors
def sample_config(sink: str | None, source: str | None) -> None:
    """Print a commented configuration to start from.

    \b
    Example:
      gateway sample-config > gateway.toml
      gateway sample-config --sink influxdb >> gateway.toml
    """
    if source is not None:
        click.echo(plugins.find(plugins.SOURCES, source).sample(), nl=False)
        return
    if sink is not None:
        click.echo(plugins.find(plugins.SINKS, sink).sample(), nl=False)
        return
    click.echo(files("gateway").joinpath("sample.toml").read_text(encoding="utf-8"), nl=False)


@main.command()
@config_option
@json_option
@reports_errors
def health(config_path: Path, as_json: bool) -> None:
    """Ask the gateway on this machine whether it works. Exit status 1 if it does not.

    \b
    Example:
      gateway health --config gateway.toml
    """
    from headrace.health import probe

    http = load(config_path).http
    if not http.enabled:
        raise UsageError("http is off, so there is nobody to ask", hint="set http.enabled = true")
    answer = probe(http.host, http.port, "/healthz", tls=http.tls)
    click.echo(answer if as_json else "OK")


main.add_command(doctor)
main.add_command(journal)
main.add_command(gaps)


@main.group()
def quarantine() -> None:
    """Look at refused payloads and replay them. Safe while the gateway runs.

    \b
    Example:
      gateway quarantine ls --config gateway.toml
    """


@quarantine.command("ls")
@config_option
@json_option
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@reports_errors
def quarantine_ls(config_path: Path, as_json: bool, limit: int) -> None:
    """List refused payloads, newest first.

    \b
    Example:
      gateway quarantine ls --config gateway.toml --limit 20
    """
    from gateway.quarantine import Quarantine

    store = Quarantine(load(config_path).journal_path)
    found = store.list(limit)
    if as_json:
        click.echo(msgspec.json.encode([item.as_dict() for item in found]))
        return
    for item in found:
        click.echo(
            f"{item.id:>6}  {item.reason:<14} {item.bytes:>8} B  {item.topic}  {item.detail}"
        )
    if not found:
        click.echo("quarantine is empty")


@quarantine.command("show")
@config_option
@click.argument("number", type=int)
@reports_errors
def quarantine_show(config_path: Path, number: int) -> None:
    """Write one payload, as it was received, to standard output.

    \b
    Example:
      gateway quarantine show 17 > payload.bin
    """
    from gateway.quarantine import Quarantine

    _, payload = Quarantine(load(config_path).journal_path).payload(number)
    sys.stdout.buffer.write(payload)


@quarantine.command("replay")
@config_option
@click.option("--all", "everything", is_flag=True, help="Replay all payloads.")
@click.argument("numbers", nargs=-1, type=int)
@reports_errors
def quarantine_replay(config_path: Path, everything: bool, numbers: tuple[int, ...]) -> None:
    """Send refused payloads through the gateway once more.

    \b
    Example:
      gateway quarantine replay 17 18
      gateway quarantine replay --all
    """
    from gateway.quarantine import Quarantine, replay

    config = load(config_path)
    store = Quarantine(config.journal_path)
    chosen = store.replayable() if everything else list(numbers)
    if not chosen and not everything:
        raise click.UsageError("name payloads by number, or give --all")
    click.echo(f"replayed {replay(store, chosen, config.commands_broker)}")


main.add_command(models)
main.add_command(token)


@main.group()
def rules() -> None:
    """Try rules out.

    \b
    Example:
      gateway rules test timeline.toml
    """


@rules.command("test")
@click.argument("timeline", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@reports_errors
def rules_test(timeline: Path) -> None:
    """Play a timeline of readings through rules; compare the alerts. Exit status 1 if they differ.

    \b
    Example:
      gateway rules test timeline.toml
    """
    from gateway.rules.timeline import run_timeline

    failures = run_timeline(timeline)
    for failure in failures:
        click.echo(failure)
    click.echo("FAILED" if failures else "OK")
    sys.exit(1 if failures else 0)


for command in ENROL_COMMANDS:
    main.add_command(command)
