"""Azurite: Microsoft's own emulator of Azure Blob Storage (npm: azurite), with accounts, keys and signatures."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from headrace.lake.config import Lake
from headrace.lake.store_config import Azure
from tests.servers import free_port, listens, start_process

ACCOUNT = "devstoreaccount1"
CONTAINER = "lake"


@dataclass(frozen=True, slots=True)
class Azurite:
    """Where a running server is, and a file with the account's key."""

    port: int
    key: str
    key_file: Path

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}/{ACCOUNT}"

    def lake(self, prefix: str) -> Lake:
        return self._lake(prefix, Azure(endpoint=self.endpoint, account_key_file=self.key_file))

    def lake_with_signature(self, prefix: str, *, ends_in: timedelta) -> Lake:
        """With a shared access signature in place of the key."""
        from azure.storage.blob import ContainerSasPermissions, generate_container_sas

        now = datetime.now(UTC)
        token = generate_container_sas(
            ACCOUNT, CONTAINER, account_key=self.key,
            permission=ContainerSasPermissions(read=True, write=True, create=True, list=True),
            start=now - timedelta(days=1), expiry=now + ends_in,
        )  # fmt: skip
        file = self.key_file.with_name(f"sas-{ends_in.total_seconds():.0f}")
        file.write_text(token + "\n")
        return self._lake(prefix, Azure(endpoint=self.endpoint, sas_token_file=file))

    def _lake(self, prefix: str, azure: Azure) -> Lake:
        uri = f"abfss://{CONTAINER}@{ACCOUNT}.dfs.core.windows.net/{prefix}"
        return Lake(uri=uri, azure=azure)


def find_azurite() -> str | None:
    """The program below this environment or on the path; None where it is not installed."""
    own = Path(sys.prefix) / "azurite" / "node_modules" / ".bin" / "azurite-blob"
    return str(own) if own.exists() else shutil.which("azurite-blob")


@contextmanager
def run_azurite(folder: Path) -> Iterator[Azurite]:
    """A server with its data in ``folder``, and one container."""
    from azure.storage.blob import ContainerClient

    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    argv = [
        find_azurite() or "azurite-blob", "--blobHost", "127.0.0.1", "--blobPort", str(port),
        "--location", folder, "--disableTelemetry", "--skipApiVersionCheck", "--silent",
    ]  # fmt: skip
    key = _well_known_key()
    key_file = folder / "account-key"
    key_file.write_text(key + "\n")
    with start_process(
        argv, log=folder / "azurite.log", ready=lambda: listens(port), deadline_s=60
    ):
        server = Azurite(port, key, key_file)
        credential = {"account_name": ACCOUNT, "account_key": key}
        ContainerClient(server.endpoint, CONTAINER, credential=credential).create_container()
        yield server


def _well_known_key() -> str:
    """The emulator's, which Microsoft documents."""
    return (
        "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
    )
