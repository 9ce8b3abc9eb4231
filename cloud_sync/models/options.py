"""The options that the commands of ``cloud-sync models`` share, and what they name."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from cloud_sync import config as configuration
from headrace.clock import SystemClock
from headrace.errors import TransportError, UsageError
from headrace.lake.config import Lake
from headrace.lake.opening import open_store

if TYPE_CHECKING:
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


def nudge_options(function: F) -> F:
    """``--nudge``, ``--nudge-token-file`` and ``--nudge-ca``."""
    path = click.Path(path_type=Path, exists=True, dir_okay=False)
    options = (
        click.option(
            "--nudge", multiple=True,
            help="Address of a gateway that is to look at once (https://gateway:8443). May be repeated.",
        ),
        click.option(
            "--nudge-token-file", type=path,
            help="The secret of the gateways' model_repository.nudge_token_file.",
        ),
        click.option("--nudge-ca", type=path, help="CA of the gateways' certificates."),
    )  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


def nudger(urls: tuple[str, ...], token_file: Path | None, ca: Path | None) -> Callable[[], None]:
    """What nudges all of them, when all is signed.

    Raises:
        UsageError: an address that is none, or no token.
    """
    for url in urls:
        if not url.startswith(("http://", "https://")):
            raise UsageError(f"--nudge: expected http:// or https://, got {url!r}")
    if urls and token_file is None:
        raise UsageError("--nudge needs --nudge-token-file")
    token = _first_line(token_file) if token_file is not None else ""
    return lambda: _nudge(urls, token, ca)


def _nudge(urls: tuple[str, ...], token: str, ca: Path | None) -> None:
    """A gateway that is not reached is no failure: what is signed is signed, and it looks by itself."""
    from headrace.models.nudge import nudge

    for url in urls:
        try:
            nudge(url, token, ca=ca)
        except TransportError as error:
            click.echo(f"not nudged, it looks by itself later: {error}", err=True)
        else:
            click.echo(f"nudged {url}")


def store_of(repo: str | None, data: Path | None, config_path: Path | None) -> Store:
    """The store that ``--repo``, ``--data`` and ``--config`` name.

    Raises:
        UsageError: none, or too many.
    """
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


def open_releases(
    store: Store, folders: tuple[Path, ...], passphrase_file: Path | None, *,
    offline: bool, root: bool = False,
) -> Releases:  # fmt: skip
    """The repository with the keys that a command needs.

    Raises:
        UsageError: there are none in these folders.
        ModelError: a key cannot be read.
    """
    from cloud_sync.models import keys as keyring
    from cloud_sync.models.editor import Signers
    from cloud_sync.models.releases import Releases

    secret = passphrase_of(passphrase_file)
    signers = Signers(
        root=keyring.load(folders, ("root",), secret) if root else (),
        targets=keyring.load(folders, ("targets",), secret) if offline else (),
        online=keyring.load(folders, keyring.ONLINE, ""),
    )
    return Releases(
        store, trusted_root=keyring.trusted_root(folders), signers=signers, clock=SystemClock(),
        seen=keyring.Seen(folders[0]),
    )  # fmt: skip


def reader_of(store: Store, folders: tuple[Path, ...]) -> Releases:
    """The repository for looking at it: no private key is read."""
    from cloud_sync.models import keys as keyring
    from cloud_sync.models.editor import Signers
    from cloud_sync.models.releases import Releases

    root = keyring.trusted_root(folders)
    return Releases(store, trusted_root=root, signers=Signers(), clock=SystemClock())


def passphrase_of(path: Path | None) -> str:
    """What opens the off-line keys; empty where they have no passphrase.

    Raises:
        UsageError: the file cannot be read.
    """
    if path is None:
        return os.environ.get(PASSPHRASE_VARIABLE, "")
    return _first_line(path)


def _first_line(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from error
    return lines[0].strip() if lines else ""
