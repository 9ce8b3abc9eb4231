"""Where the repository's bytes come from: a folder, HTTP(S), an object store.

A source gives one object's bytes in pieces. What is larger than asked for is cut off by the caller
(``client``), what is endless or slow by the deadline here: a server that sends a byte a second holds
a gateway up for ``MODEL_DOWNLOAD_TIMEOUT_S`` and not for ever. A source is not trusted with
anything: every byte is checked against the signed metadata afterwards.
"""

from __future__ import annotations

import ssl
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import quote, urlsplit

import urllib3

from headrace.clock import Clock, SystemClock
from headrace.errors import ConfigError, Fault, ModelError, TransportError
from headrace.limits.models import (
    MODEL_CONNECT_TIMEOUT_S,
    MODEL_DOWNLOAD_TIMEOUT_S,
    MODEL_MAX_FILE_BYTES,
    MODEL_READ_TIMEOUT_S,
)

_PIECE: Final = 64 * 1024


class Source(ABC):
    """Objects of one repository, by their path below its root."""

    @abstractmethod
    def pieces(self, path: str) -> Iterator[bytes] | None:
        """The object's bytes, piece by piece; None when there is no such object.

        Raises:
            TransportError: it is away, too slow or answered nonsense; trying later may help.
        """


class FolderSource(Source):
    """A repository on this machine, a stick or a mounted share."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def pieces(self, path: str) -> Iterator[bytes] | None:
        if ".." in path.split("/"):
            return None
        try:
            file = (self._root / path).open("rb")
        except (FileNotFoundError, NotADirectoryError):
            if not self._root.is_dir():
                raise TransportError(f"model repository {self._root}: no such folder") from None
            return None
        except OSError as error:
            raise TransportError(f"model repository {self._root}: {path}: {error}") from error
        with file:
            # Whole: a local file does not stall half way, and what is longer than a graph may be is cut.
            return iter([file.read(MODEL_MAX_FILE_BYTES + 1)])


class HttpSource(Source):
    """A repository behind a web server: a bucket's public address, or a gateway's mirror."""

    def __init__(
        self,
        url: str,
        *,
        tls: ssl.SSLContext | None = None,
        headers: dict[str, str] | None = None,
        timeout_s: float = MODEL_DOWNLOAD_TIMEOUT_S,
        clock: Clock | None = None,
    ) -> None:
        if urlsplit(url).scheme not in ("http", "https"):
            raise ConfigError(url, [Fault("", "expected an address with http:// or https://")])
        self._url = url.rstrip("/")
        self._timeout_s = timeout_s
        self._clock = clock or SystemClock()
        self._pool = urllib3.PoolManager(
            headers=headers,
            retries=False,
            timeout=urllib3.Timeout(
                connect=MODEL_CONNECT_TIMEOUT_S, read=min(MODEL_READ_TIMEOUT_S, timeout_s)
            ),
            ssl_context=tls,
        )

    def pieces(self, path: str) -> Iterator[bytes] | None:
        url = f"{self._url}/{quote(path)}"
        deadline = self._clock.monotonic() + self._timeout_s
        try:
            answer = self._pool.request("GET", url, preload_content=False, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            raise TransportError(f"model repository {url}: {_words(error)}") from error
        # 403 is how S3 says 404 to whoever may not list the bucket.
        if answer.status in (403, 404):
            answer.close()
            return None
        if answer.status != 200:
            answer.close()
            raise TransportError(
                f"model repository {url}: expected status 200, got {answer.status}"
            )
        return self._read(answer, url, deadline)

    def _read(self, answer: urllib3.BaseHTTPResponse, url: str, deadline: float) -> Iterator[bytes]:
        try:
            # read1: what has arrived, at most; read(n) would wait for n bytes of a trickle.
            while piece := answer.read1(_PIECE):
                yield piece
                if self._clock.monotonic() > deadline:
                    raise TransportError(
                        f"model repository {url}: not finished after {self._timeout_s:g} s"
                    )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise TransportError(f"model repository {url}: {_words(error)}") from error
        finally:
            answer.close()


class Objects(Protocol):
    """What is needed of an object store (``headrace.lake.store.Store`` has it)."""

    def get(self, path: str) -> bytes | None: ...
    def size(self, path: str) -> int | None: ...


class StoreSource(Source):
    """A repository in an object store, with the store's own keys, time-outs and errors."""

    def __init__(self, store: Objects, prefix: str = "") -> None:
        self._store = store
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    def pieces(self, path: str) -> Iterator[bytes] | None:
        key = self._prefix + path
        size = self._store.size(key)
        if size is None:
            return None
        if size > MODEL_MAX_FILE_BYTES:
            raise ModelError(
                f"model repository: {key}: expected at most {MODEL_MAX_FILE_BYTES} bytes, got {size}"
            )
        data = self._store.get(key)
        return None if data is None else iter([data])


def open_source(address: str) -> Source:
    """A source by its address: ``http(s)://…`` or a folder. Object stores are opened by the caller."""
    if address.startswith(("http://", "https://")):
        return HttpSource(address)
    if "://" in address and not address.startswith("file://"):
        raise ConfigError(address, [Fault("", "expected a folder, http://… or https://…")])
    return FolderSource(Path(address.removeprefix("file://")))


def _words(error: Exception) -> str:
    """urllib3's message without the object addresses in it."""
    reason = getattr(error, "reason", None) or error
    return " ".join(str(reason).rpartition("object at 0x")[2].split()) or type(error).__name__
