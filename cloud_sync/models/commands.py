"""``cloud-sync models``: the commands that make, sign and assign models.

Everything that takes a second to import (numpy, python-tuf, boto3) is imported by the command that
needs it.
"""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from cloud_sync.models.key_commands import init_repo, refresh, renew, replace_keys
from cloud_sync.models.making import train, wrap
from cloud_sync.models.options import (
    keys_options,
    nudge_options,
    nudger,
    open_releases,
    reader_of,
    repository_options,
    store_of,
)
from headrace.commands import reports_errors, verbose_option


@click.group()
def models() -> None:
    """Train models, sign them, and say what runs where.

    \b
    Example:
      cloud-sync models init-repo --repo repository --keys keys
      cloud-sync models train --recipe autoencoder --data headrace-data --name pump --out pump
      cloud-sync models publish pump --repo repository --keys keys
      cloud-sync models promote pump 1 --to canary --repo repository --keys keys
    """


for command in (init_repo, train, wrap, refresh, renew, replace_keys):
    models.add_command(command)


@models.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@repository_options
@keys_options
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@verbose_option
@reports_errors
def publish(
    folder: Path, repo: str | None, data: Path | None, config_path: Path | None,
    keys: tuple[Path, ...], passphrase_file: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Check a model's folder, sign it, add it as a version. It runs nowhere yet.

    \b
    Example:
      cloud-sync models publish pump --repo repository --keys keys
    """
    from cloud_sync.models import package

    found = package.read(folder)
    releases = open_releases(store_of(repo, data, config_path), keys, passphrase_file, offline=True)
    manifest = releases.publish(found)
    if as_json:
        click.echo(msgspec.json.encode({"name": manifest.name, "version": manifest.version}))
    else:
        click.echo(
            f"{manifest.name} {manifest.version}: {manifest.runtime}, {manifest.graph.bytes} bytes, "
            f"sha256 {manifest.graph.sha256[:12]}…; `cloud-sync models promote` says where it runs"
        )


@models.command()
@click.argument("name")
@click.argument("version", type=click.IntRange(1))
@click.option("--to", required=True, help="all, canary (ring=canary) or LABEL=VALUE.")
@repository_options
@keys_options
@nudge_options
@verbose_option
@reports_errors
def promote(
    name: str, version: int, to: str, repo: str | None, data: Path | None,
    config_path: Path | None, keys: tuple[Path, ...], passphrase_file: Path | None,
    nudge: tuple[str, ...], nudge_token_file: Path | None, nudge_ca: Path | None,
) -> None:  # fmt: skip
    """Say where a version is to run. The last promotion that fits a place decides.

    \b
    Example:
      cloud-sync models promote pump 2 --to canary --repo repository --keys keys
      cloud-sync models promote pump 2 --to site=north --repo repository --keys keys
      cloud-sync models promote pump 2 --to all --repo repository --keys keys \\
        --nudge https://gateway.local:8443 --nudge-token-file nudge.token
    """
    nudge_all = nudger(nudge, nudge_token_file, nudge_ca)
    releases = open_releases(store_of(repo, data, config_path), keys, passphrase_file, offline=True)
    releases.promote(name, version, to)
    click.echo(f"{name} {version} is to run at: {to}")
    nudge_all()


@models.command()
@click.argument("name")
@click.argument("version", type=click.IntRange(1))
@click.option("--reason", default="", help="For whoever looks later.")
@repository_options
@keys_options
@nudge_options
@verbose_option
@reports_errors
def revoke(
    name: str, version: int, reason: str, repo: str | None, data: Path | None,
    config_path: Path | None, keys: tuple[Path, ...], passphrase_file: Path | None,
    nudge: tuple[str, ...], nudge_token_file: Path | None, nudge_ca: Path | None,
) -> None:  # fmt: skip
    """Say that a version is to run nowhere. Each place goes back to what it had before.

    \b
    Example:
      cloud-sync models revoke pump 2 --reason "false alarms" --repo repository --keys keys
    """
    nudge_all = nudger(nudge, nudge_token_file, nudge_ca)
    releases = open_releases(store_of(repo, data, config_path), keys, passphrase_file, offline=True)
    releases.revoke(name, version, reason)
    click.echo(f"{name} {version} is revoked")
    nudge_all()


@models.command("list")
@repository_options
@keys_options
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@verbose_option
@reports_errors
def list_models(
    repo: str | None, data: Path | None, config_path: Path | None, keys: tuple[Path, ...],
    passphrase_file: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Show all versions and where they are to run. Of --keys only root.json is read.

    \b
    Example:
      cloud-sync models list --repo repository --keys keys --json
    """
    del passphrase_file
    listed = reader_of(store_of(repo, data, config_path), keys).listed()
    if as_json:
        click.echo(msgspec.json.encode(listed).decode())
        return
    for each in listed:
        state = "revoked" if each.revoked is not None else ", ".join(each.to) or "nowhere"
        click.echo(f"{each.name} {each.version}  {each.runtime}  {each.created}  {state}")
    if not listed:
        click.echo("no model is published yet")
