"""``cloud-sync models``: the commands that make, sign and assign models.

Everything that takes a second to import (numpy, python-tuf, boto3) is imported by the command that
needs it.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
import msgspec

from cloud_sync import config as configuration
from cloud_sync.models.making import train, wrap
from headrace.clock import SystemClock
from headrace.commands import reports_errors, verbose_option
from headrace.errors import UsageError
from headrace.lake.config import Lake
from headrace.lake.opening import open_store
from headrace.limits import MODEL_ONLINE_DAYS, MODEL_ROOT_DAYS, MODEL_TARGETS_DAYS

if TYPE_CHECKING:
    from cloud_sync.models.keys import Role
    from cloud_sync.models.releases import Releases
    from headrace.lake.store import Store

F = TypeVar("F", bound=Callable[..., Any])

#: Folder of the repository within a lake, where --repo names none.
REPOSITORY_FOLDER: Final = "model_repository"
PASSPHRASE_VARIABLE: Final = "HEADRACE_KEYS_PASSPHRASE"  # noqa: S105 - its name


def repository_options(function: F) -> F:
    """``--repo``, ``--data`` and ``--config``: where the repository is."""
    options = (
        click.option(
            "--repo", help="The repository: a folder, or s3://bucket/prefix with --config. "
            f"Default: {REPOSITORY_FOLDER} in the lake.",
        ),
        click.option(
            "--data", type=click.Path(path_type=Path),
            help="A data folder, whose lake/ the repository is in.",
        ),
        click.option(
            "-c", "--config", "config_path", type=click.Path(path_type=Path),
            help="A cloud_sync.toml, whose lake (and keys for S3) are taken.",
        ),
    )  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


def keys_options(function: F) -> F:
    """``--keys`` and ``--passphrase-file``."""
    options = (
        click.option(
            "--keys", multiple=True, required=True, type=click.Path(path_type=Path),
            help="A folder with keys and root.json. May be repeated.",
        ),
        click.option(
            "--passphrase-file", type=click.Path(path_type=Path, exists=True),
            help=f"Its first line opens the off-line keys. Default: ${PASSPHRASE_VARIABLE}.",
        ),
    )  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


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


models.add_command(train)
models.add_command(wrap)


@models.command("init-repo")
@repository_options
@keys_options
@click.option(
    "--threshold",
    default=1,
    show_default=True,
    type=click.IntRange(1, 2),
    help="Off-line keys that each change of root and targets needs; as many are made.",
)
@click.option(
    "--root-days",
    default=MODEL_ROOT_DAYS,
    show_default=True,
    type=click.IntRange(1),
    help="How long the root's signature holds.",
)
@click.option(
    "--targets-days",
    default=MODEL_TARGETS_DAYS,
    show_default=True,
    type=click.IntRange(1),
    help="How long those of publications hold.",
)
@click.option(
    "--online-days",
    default=MODEL_ONLINE_DAYS,
    show_default=True,
    type=click.IntRange(1),
    help="How long those of `models refresh` hold.",
)
@verbose_option
@reports_errors
def init_repo(
    repo: str | None, data: Path | None, config_path: Path | None, keys: tuple[Path, ...],
    passphrase_file: Path | None, threshold: int, root_days: int, targets_days: int,
    online_days: int,
) -> None:  # fmt: skip
    """Make keys and an empty, signed repository.

    The first folder of --keys gets all keys and root.json; move root-*.pem and targets-*.pem to where
    they are safe. Signatures outlive the time that a site may be off line: shorten the days only if
    no site ever is.

    \b
    Example:
      cloud-sync models init-repo --repo repository --keys keys
    """
    from cloud_sync.models import keys as keyring
    from cloud_sync.models import releases
    from cloud_sync.models.editor import Expiry, Signers

    store = _store(repo, data, config_path)
    folder = keys[0]
    if (folder / keyring.ROOT_FILE).exists():
        raise UsageError(f"{folder}: has the keys of a repository", hint="name another with --keys")
    secret = _passphrase(passphrase_file)
    numbers = range(1, threshold + 1)
    signers = Signers(
        root=[keyring.make(folder, "root", number, secret) for number in numbers],
        targets=[keyring.make(folder, "targets", number, secret) for number in numbers],
        online=[keyring.make(folder, role, 1, "") for role in keyring.ONLINE],
    )
    expiry = Expiry(root_days=root_days, targets_days=targets_days, online_days=online_days)
    root = releases.create(
        store, signers=signers, threshold=threshold, expiry=expiry, clock=SystemClock()
    )
    keyring.write_new(folder / keyring.ROOT_FILE, root, mode=0o644)
    click.echo(
        f"{folder}: keys and {keyring.ROOT_FILE}; give {keyring.ROOT_FILE} to every site, move "
        "root-*.pem and targets-*.pem off line, keep a copy of each"
    )


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
    """Check a model's folder, sign it and add it as the next version; it runs nowhere yet.

    \b
    Example:
      cloud-sync models publish pump --repo repository --keys keys
    """
    from cloud_sync.models import package

    found = package.read(folder)
    releases = _releases(_store(repo, data, config_path), keys, passphrase_file, offline=True)
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
@verbose_option
@reports_errors
def promote(
    name: str, version: int, to: str, repo: str | None, data: Path | None,
    config_path: Path | None, keys: tuple[Path, ...], passphrase_file: Path | None,
) -> None:  # fmt: skip
    """Say where a version is to run. The last promotion that fits a place decides.

    \b
    Example:
      cloud-sync models promote pump 2 --to canary --repo repository --keys keys
      cloud-sync models promote pump 2 --to site=north --repo repository --keys keys
      cloud-sync models promote pump 2 --to all --repo repository --keys keys
    """
    releases = _releases(_store(repo, data, config_path), keys, passphrase_file, offline=True)
    releases.promote(name, version, to)
    click.echo(f"{name} {version} is to run at: {to}")


@models.command()
@click.argument("name")
@click.argument("version", type=click.IntRange(1))
@click.option("--reason", default="", help="For whoever looks later.")
@repository_options
@keys_options
@verbose_option
@reports_errors
def revoke(
    name: str, version: int, reason: str, repo: str | None, data: Path | None,
    config_path: Path | None, keys: tuple[Path, ...], passphrase_file: Path | None,
) -> None:  # fmt: skip
    """Say that a version is to run nowhere; each place goes back to what it had before.

    \b
    Example:
      cloud-sync models revoke pump 2 --reason "false alarms" --repo repository --keys keys
    """
    releases = _releases(_store(repo, data, config_path), keys, passphrase_file, offline=True)
    releases.revoke(name, version, reason)
    click.echo(f"{name} {version} is revoked")


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
    """Show all versions and where they are to run; of --keys only root.json is read.

    \b
    Example:
      cloud-sync models list --repo repository --keys keys --json
    """
    del passphrase_file
    listed = _reader(_store(repo, data, config_path), keys).listed()
    if as_json:
        click.echo(msgspec.json.encode(listed).decode())
        return
    for each in listed:
        state = "revoked" if each.revoked is not None else ", ".join(each.to) or "nowhere"
        click.echo(f"{each.name} {each.version}  {each.runtime}  {each.created}  {state}")
    if not listed:
        click.echo("no model is published yet")


@models.command()
@repository_options
@keys_options
@verbose_option
@reports_errors
def refresh(
    repo: str | None, data: Path | None, config_path: Path | None, keys: tuple[Path, ...],
    passphrase_file: Path | None,
) -> None:  # fmt: skip
    """Sign snapshot and timestamp again with the on-line keys; a weekly job does well.

    \b
    Example:
      cloud-sync models refresh --repo repository --keys online-keys
    """
    del passphrase_file
    expires = _releases(_store(repo, data, config_path), keys, None, offline=False).refresh()
    click.echo(f"signed again, holds until {expires}")


@models.command()
@repository_options
@keys_options
@verbose_option
@reports_errors
def renew(
    repo: str | None, data: Path | None, config_path: Path | None, keys: tuple[Path, ...],
    passphrase_file: Path | None,
) -> None:  # fmt: skip
    """Sign root and targets again with a new expiry: once a year, with all off-line keys.

    Sites follow by themselves; root.json beside the keys stays valid as what they start from.

    \b
    Example:
      cloud-sync models renew --repo repository --keys keys
    """
    releases = _releases(
        _store(repo, data, config_path), keys, passphrase_file, offline=True, root=True
    )
    releases.renew()
    click.echo("root and targets are signed again")


@models.command("replace-keys")
@click.argument("role", type=click.Choice(["root", "targets", "snapshot", "timestamp"]))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for new keys.")
@repository_options
@keys_options
@verbose_option
@reports_errors
def replace_keys(
    role: Role, out: Path, repo: str | None, data: Path | None, config_path: Path | None,
    keys: tuple[Path, ...], passphrase_file: Path | None,
) -> None:  # fmt: skip
    """Make new keys for a role whose keys are lost or in strange hands; needs the root keys.

    The old keys of the role sign nothing from then on. Sites follow by themselves. For the role root
    the old root keys are needed as well, for the last time.

    \b
    Example:
      cloud-sync models replace-keys targets --out new-keys --repo repository --keys keys
    """
    from cloud_sync.models import keys as keyring
    from cloud_sync.models.editor import Signers
    from cloud_sync.models.releases import Releases

    store, secret = _store(repo, data, config_path), _passphrase(passphrase_file)
    root = keyring.trusted_root(keys)
    held = {
        each: keyring.load(keys, (each,), secret)
        for each in ("root", *(other for other in keyring.ROLES if other not in (role, "root")))
    }
    count = keyring.threshold(root, role)
    fresh = [keyring.make(out, role, number, secret) for number in range(1, count + 1)]
    held[role] = [*held.get(role, ()), *fresh]
    signers = Signers(
        root=held["root"], targets=held["targets"], online=[*held["snapshot"], *held["timestamp"]]
    )
    releases = Releases(
        store, trusted_root=root, signers=signers, clock=SystemClock(), seen=keyring.Seen(keys[0])
    )
    releases.renew(role=role, fresh=fresh)
    click.echo(f"{out}: new keys for {role}; the old ones sign nothing any more")


def _store(repo: str | None, data: Path | None, config_path: Path | None) -> Store:
    if data is not None and config_path is not None:
        raise UsageError("--config and --data exclude each other", hint="name one of them")
    if config_path is not None:
        lake = configuration.load(config_path).lake
    elif data is not None:
        lake = configuration.for_data(data).lake
    elif repo is not None:
        lake = Lake(uri=repo)
    else:
        raise UsageError("no repository named", hint="--repo, --data or --config")
    uri = repo or f"{lake.uri.rstrip('/')}/{REPOSITORY_FOLDER}"
    if uri.startswith("s3://") and config_path is None:
        raise UsageError(f"{uri}: S3 needs keys", hint="name cloud_sync.toml by --config")
    return open_store(dataclasses.replace(lake, uri=uri))


def _releases(
    store: Store, folders: tuple[Path, ...], passphrase_file: Path | None, *,
    offline: bool, root: bool = False,
) -> Releases:  # fmt: skip
    from cloud_sync.models import keys as keyring
    from cloud_sync.models.editor import Signers
    from cloud_sync.models.releases import Releases

    secret = _passphrase(passphrase_file)
    signers = Signers(
        root=keyring.load(folders, ("root",), secret) if root else (),
        targets=keyring.load(folders, ("targets",), secret) if offline else (),
        online=keyring.load(folders, keyring.ONLINE, ""),
    )
    return Releases(
        store, trusted_root=keyring.trusted_root(folders), signers=signers, clock=SystemClock(),
        seen=keyring.Seen(folders[0]),
    )  # fmt: skip


def _reader(store: Store, folders: tuple[Path, ...]) -> Releases:
    from cloud_sync.models import keys as keyring
    from cloud_sync.models.editor import Signers
    from cloud_sync.models.releases import Releases

    root = keyring.trusted_root(folders)
    return Releases(store, trusted_root=root, signers=Signers(), clock=SystemClock())


def _passphrase(path: Path | None) -> str:
    if path is None:
        return os.environ.get(PASSPHRASE_VARIABLE, "")
    lines = path.read_text(encoding="utf-8").splitlines()
    return lines[0].strip() if lines else ""
