"""The object store port on Google Cloud Storage, through google-cloud-storage.

A put is atomic and durable when it is answered; ``create`` asks for generation 0
(``ifGenerationMatch=0``), of which exactly one of several racing callers succeeds. Credentials are
Google's own chain (Application Default Credentials): the file that GOOGLE_APPLICATION_CREDENTIALS
names, or the machine's or pod's service account. The port and Arrow's readers ask the same chain.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import cached_property
from typing import Any, Final

from google.api_core.exceptions import GoogleAPICallError, PreconditionFailed, RetryError
from google.api_core.exceptions import NotFound as NoObject
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError, TransportError
from google.cloud import storage
from google.cloud.storage.retry import DEFAULT_RETRY
from pyarrow import fs
from requests.exceptions import RequestException

from headrace.lake.config import Lake
from headrace.lake.store import Data, Store
from headrace.lake.stores.kind import REFUSED, StoreKind, after_scheme, failure
from headrace.limits.lake import (
    STORE_CONNECT_TIMEOUT_S,
    STORE_READ_TIMEOUT_S,
    STORE_RETRY_S,
)

_HINT: Final = (
    "check bucket, credential (has it expired?) and its roles: docs/how-to/lake-stores.md"
)
_TIMES: Final[dict[str, Any]] = {
    "timeout": (STORE_CONNECT_TIMEOUT_S, STORE_READ_TIMEOUT_S),
    "retry": DEFAULT_RETRY.with_timeout(STORE_RETRY_S),
}


class GcsStore(Store):
    """Objects of one bucket below one prefix."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._prefix = lake.prefix

    def uri(self, path: str) -> str:
        return f"gs://{self._lake.bucket}/{self._prefix}{path}"

    @cached_property
    def _bucket(self) -> Any:
        """Made at the first request: without a credential even the client is refused."""
        options = self._lake.gcs
        client = storage.Client(
            project=options.project or ("none" if options.anonymous else None),
            credentials=AnonymousCredentials() if options.anonymous else None,  # type: ignore[no-untyped-call]
            client_options={"api_endpoint": options.endpoint} if options.endpoint else None,
        )
        return client.bucket(self._lake.bucket)

    def _blob(self, path: str) -> Any:
        return self._bucket.blob(self._prefix + path)

    def _put(self, path: str, data: Data) -> None:
        self._blob(path).upload_from_string(bytes(data), **_TIMES)

    def _create(self, path: str, data: Data) -> bool:
        try:
            self._blob(path).upload_from_string(bytes(data), if_generation_match=0, **_TIMES)
        except PreconditionFailed:
            return False
        return True

    def _get(self, path: str) -> bytes | None:
        try:
            return bytes(self._blob(path).download_as_bytes(**_TIMES))
        except NoObject:
            return None

    def _size(self, path: str) -> int | None:
        found = self._bucket.get_blob(self._prefix + path, **_TIMES)
        return None if found is None else int(found.size)

    def _delete(self, path: str) -> None:
        with suppress(NoObject):
            self._blob(path).delete(**_TIMES)

    def _names(self, folder: str, after: str) -> list[str]:
        # ``start_offset`` includes its own name.
        found = self._listing(folder, start_offset=self._prefix + after if after else None)
        paths = (self._path(each.name) for each in found)
        # Consoles make an empty object ``folder/`` for a folder.
        return sorted(path for path in paths if path > after and not path.endswith("/"))

    def _folders(self, folder: str) -> list[str]:
        listing = self._listing(folder)
        for _page in listing.pages:  # prefixes are known when all pages were seen
            pass
        return sorted(self._path(name).rstrip("/") for name in listing.prefixes)

    def _listing(self, folder: str, start_offset: str | None = None) -> Any:
        return self._bucket.list_blobs(
            prefix=f"{self._prefix}{folder}/", delimiter="/", start_offset=start_offset, **_TIMES
        )

    def _path(self, key: str) -> str:
        return key[len(self._prefix) :]

    @contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except GoogleAPICallError as error:
            hint = _HINT if error.code in REFUSED else ""
            raise failure(self._lake.uri, what, error, hint=hint) from error
        except (TransportError, RequestException, RetryError) as error:
            raise failure(self._lake.uri, what, error) from error
        except GoogleAuthError as error:
            raise failure(self._lake.uri, what, error, hint=_HINT) from error


def arrow_filesystem(lake: Lake) -> fs.FileSystem:
    """The same bucket for Arrow's readers; their paths are ``bucket/key``."""
    options: dict[str, Any] = {"retry_time_limit": timedelta(seconds=STORE_RETRY_S)}
    if lake.gcs.anonymous:
        options["anonymous"] = True
    if lake.gcs.endpoint:
        scheme, _, host = lake.gcs.endpoint.partition("://")
        options |= {"scheme": scheme, "endpoint_override": host}
    return fs.GcsFileSystem(**options)


KIND: Final = StoreKind(open=GcsStore, filesystem=arrow_filesystem, arrow_path=after_scheme)
