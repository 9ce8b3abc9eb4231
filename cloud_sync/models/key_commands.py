"""``cloud-sync models``: the commands around keys and signatures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cloud_sync.models.options import (
    keys_options,
    open_releases,
    passphrase_of,
    repository_options,
    store_of,
)
from headrace.clock import SystemClock
from headrace.commands import reports_errors, verbose_option
from headrace.errors import UsageError
from headrace.limits.models import MODEL_ONLINE_DAYS, MODEL_ROOT_DAYS, MODEL_TARGETS_DAYS

if TYPE_CHECKING:
    from cloud_sync.models.keys import Role


@click.command("init-repo")
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
    from cloud_sync.models.editor import Signers
    from cloud_sync.models.state import Expiry

    store = store_of(repo, data, config_path)
    folder = keys[0]
    if (folder / keyring.ROOT_FILE).exists():
        raise UsageError(f"{folder}: has the keys of a repository", hint="name another with --keys")
    secret = passphrase_of(passphrase_file)
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


@click.command()
@repository_options
@keys_options
@verbose_option
@reports_errors
def refresh(
    repo: str | None, data: Path | None, config_path: Path | None, keys: tuple[Path, ...],
    passphrase_file: Path | None,
) -> None:  # fmt: skip
    """Sign snapshot and timestamp again with the on-line keys. A weekly job does well.

    \b
    Example:
      cloud-sync models refresh --repo repository --keys online-keys
    """
    del passphrase_file
    expires = open_releases(store_of(repo, data, config_path), keys, None, offline=False).refresh()
    click.echo(f"signed again, holds until {expires}")


@click.command()
@repository_options
@keys_options
@verbose_option
@reports_errors
def renew(
    repo: str | None, data: Path | None, config_path: Path | None, keys: tuple[Path, ...],
    passphrase_file: Path | None,
) -> None:  # fmt: skip
    """Sign root and targets again with a new expiry. Once a year, with all off-line keys.

    Sites follow by themselves; root.json beside the keys stays valid as what they start from.

    \b
    Example:
      cloud-sync models renew --repo repository --keys keys
    """
    releases = open_releases(
        store_of(repo, data, config_path), keys, passphrase_file, offline=True, root=True
    )
    releases.renew()
    click.echo("root and targets are signed again")


@click.command("replace-keys")
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
    """Make new keys for a role whose keys are lost or stolen. It needs the root keys.

    The old keys of the role sign nothing from then on. Sites follow by themselves. For the role root
    the old root keys are needed as well, for the last time.

    \b
    Example:
      cloud-sync models replace-keys targets --out new-keys --repo repository --keys keys
    """
    from cloud_sync.models import keys as keyring
    from cloud_sync.models.editor import Signers
    from cloud_sync.models.releases import Releases

    store, secret = store_of(repo, data, config_path), passphrase_of(passphrase_file)
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
