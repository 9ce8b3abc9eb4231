"""The object store port on Azure Blob Storage, through azure-storage-blob.

A put is atomic and durable when it is answered, also of what is sent in blocks: they become a blob with
the last request. ``create`` is conditional (``If-None-Match: *``), of which exactly one of several
racing callers succeeds. The credential is a key or a shared access signature in a file of its own,
or else Azure's own chain (``DefaultAzureCredential``: environment, managed or workload identity, CLI).

An address names container and account, as Spark and Trino write it:
``abfss://container@account.dfs.core.windows.net/prefix``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import Any, Final

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.identity import DefaultAzureCredential
from azure.storage.blob import BlobPrefix, ContainerClient
from pyarrow import fs

from headrace.lake.config import Lake
from headrace.lake.store import Data, Store
from headrace.lake.stores.kind import REFUSED, StoreKind, failure
from headrace.limits.lake import STORE_CONNECT_TIMEOUT_S, STORE_READ_TIMEOUT_S

_HINT: Final = (
    "check container, credential (has it expired?) and its roles: docs/how-to/lake-stores.md"
)


class AzureStore(Store):
    """Blobs of one container below one prefix."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._prefix = lake.prefix

    def uri(self, path: str) -> str:
        return f"abfss://{self._lake.bucket}@{self._lake.host}/{self._prefix}{path}"

    @cached_property
    def _container(self) -> Any:
        """Made at the first request: reads the secret's file, and asks the chain."""
        lake = self._lake
        return ContainerClient(
            lake.azure.endpoint or f"https://{lake.account}.blob.core.windows.net",
            lake.bucket,
            credential=_credential(lake),
            connection_timeout=STORE_CONNECT_TIMEOUT_S,
            read_timeout=STORE_READ_TIMEOUT_S,
            retry_total=2,
            initial_backoff=1,
            increment_base=2,
        )

    def _put(self, path: str, data: Data) -> None:
        self._container.upload_blob(self._prefix + path, bytes(data), overwrite=True)

    def _create(self, path: str, data: Data) -> bool:
        try:
            self._container.upload_blob(self._prefix + path, bytes(data), overwrite=False)
        except ResourceExistsError:
            return False
        return True

    def _get(self, path: str) -> bytes | None:
        try:
            return bytes(self._container.download_blob(self._prefix + path).readall())
        except ResourceNotFoundError as error:
            _only_the_blob(error)
            return None

    def _size(self, path: str) -> int | None:
        try:
            blob = self._container.get_blob_client(self._prefix + path)
            return int(blob.get_blob_properties().size)
        except ResourceNotFoundError as error:
            _only_the_blob(error)
            return None

    def _delete(self, path: str) -> None:
        with suppress(ResourceNotFoundError):
            self._container.delete_blob(self._prefix + path)

    def _names(self, folder: str, after: str) -> list[str]:
        # ``start_from`` includes its own name.
        start = {"start_from": self._prefix + after} if after else {}
        found = self._listing(folder, **start)
        names = (self._path(each.name) for each in found if not isinstance(each, BlobPrefix))
        return sorted(path for path in names if path > after)

    def _folders(self, folder: str) -> list[str]:
        found = self._listing(folder)
        names = (self._path(each.name) for each in found if isinstance(each, BlobPrefix))
        return sorted(path.rstrip("/") for path in names)

    def _listing(self, folder: str, **more: str) -> Any:
        return self._container.walk_blobs(
            name_starts_with=f"{self._prefix}{folder}/", delimiter="/", **more
        )

    def _path(self, key: str) -> str:
        return key[len(self._prefix) :]

    @contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except (HttpResponseError, ClientAuthenticationError) as error:
            # A chain without any credential has no status.
            is_refused = error.status_code in REFUSED or error.status_code is None
            hint = _HINT if is_refused else ""
            raise failure(self._lake.uri, what, error, hint=hint) from error
        except ValueError as error:  # a key or an endpoint that cannot be one
            raise failure(self._lake.uri, what, error, hint=_HINT) from error
        except AzureError as error:
            raise failure(self._lake.uri, what, error) from error


def _credential(lake: Lake) -> Any:
    """A key, a signature, or the chain."""
    name, secret = lake.azure.secret()
    if name == "key":
        # By account and key: an endpoint of an emulator does not begin with the account's name.
        return {"account_name": lake.account, "account_key": secret}
    return secret if name == "sas" else DefaultAzureCredential()


def _only_the_blob(error: ResourceNotFoundError) -> None:
    """A missing blob is nothing; a missing container is an error."""
    if str(getattr(error, "error_code", "")) == "ContainerNotFound":
        raise error


def arrow_filesystem(lake: Lake) -> fs.FileSystem:
    """The same container for Arrow's readers; their paths are ``container/key``."""
    options: dict[str, Any] = {}
    name, secret = lake.azure.secret()
    if secret:
        options["account_key" if name == "key" else "sas_token"] = secret
    if lake.azure.endpoint:
        scheme, _, rest = lake.azure.endpoint.partition("://")
        # One emulator serves several accounts: below the host stands the account, which Arrow adds.
        host = rest.partition("/")[0]
        options |= {"blob_storage_scheme": scheme, "blob_storage_authority": host}
        options |= {"dfs_storage_scheme": scheme, "dfs_storage_authority": host}
    return fs.AzureFileSystem(lake.account, **options)


def arrow_path(uri: str) -> str:
    """``container/key`` of ``abfss://container@host/key``."""
    place, _, key = uri.partition("://")[2].partition("/")
    return f"{place.partition('@')[0]}/{key}"


KIND: Final = StoreKind(open=AzureStore, filesystem=arrow_filesystem, arrow_path=arrow_path)
