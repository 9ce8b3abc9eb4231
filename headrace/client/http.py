"""An endpoint of ``headrace serve``, asked with the standard library: answers come as Arrow streams."""

from __future__ import annotations

import http.client
import io
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from headrace.client.connection import Connection, Parameters
from headrace.errors import LakeError, LakeUnavailable, QueryError, QueryStopped, UsageError

ARROW: Final = "application/vnd.apache.arrow.stream"

#: What an Arrow stream ends with.
_END: Final = b"\xff\xff\xff\xff\x00\x00\x00\x00"

#: Seconds without a byte: a question may take minutes before its first.
_TIMEOUT_S: Final = 600.0


class HttpConnection(Connection):
    """Asks one endpoint.

    Args:
        ca_file: the CA of its certificate, where the system does not know it.
    """

    def __init__(self, url: str, *, token: str | None = None, ca_file: Path | None = None) -> None:
        self._url = f"{url.rstrip('/')}/api/v1/sql"
        self._headers = {"Content-Type": "application/json", "Accept": ARROW}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        handlers: list[Any] = [_NoRedirect()]
        if url.startswith("https://"):
            context = ssl.create_default_context(cafile=ca_file)
            handlers.append(urllib.request.HTTPSHandler(context=context))
        self._opener = urllib.request.build_opener(*handlers)

        self._is_closed = False

    def close(self) -> None:
        self._opener.close()
        self._is_closed = True

    @contextmanager
    def _stream(self, sql: str, params: Parameters) -> Iterator[pa.RecordBatchReader]:
        if self._is_closed:
            raise UsageError("this connection is closed", hint="headrace.connect(…) opens another")
        asked: dict[str, Any] = {"sql": sql}
        if params:
            asked["params"] = params
        body = json.dumps(asked, default=_text).encode()
        request = urllib.request.Request(self._url, body, self._headers)  # noqa: S310 - checked when opened
        try:
            with self._opener.open(request, timeout=_TIMEOUT_S) as reply:
                yield _reader(_Ended(reply))
        except urllib.error.HTTPError as error:
            raise _refusal(error) from error
        except (http.client.HTTPException, pa.ArrowException) as error:
            raise LakeUnavailable(
                f"{self._url}: the answer was cut off: {error}", hint="ask again, or for less"
            ) from error
        except OSError as error:
            raise LakeUnavailable(f"{self._url}: {error or type(error).__name__}") from error


class _Ended(io.RawIOBase):
    """A reply as a file, which knows its last bytes."""

    def __init__(self, reply: http.client.HTTPResponse) -> None:
        self._reply = reply
        self._last = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        content = self._reply.read(size if size >= 0 else None)
        self._last = (self._last + content[-len(_END) :])[-len(_END) :]
        return content

    def check(self) -> None:
        """Raises:
        ArrowInvalid: it is not the whole.
        """
        self.read()
        if self._last != _END:
            raise pa.ArrowInvalid("the stream has no end")


def _reader(reply: _Ended) -> pa.RecordBatchReader:
    """The batches: Arrow's reader by itself takes a stream that was cut off for a shorter one."""
    reader = pa.ipc.open_stream(reply)

    def batches() -> Iterator[pa.RecordBatch]:
        yield from reader
        reply.check()

    return pa.RecordBatchReader.from_batches(reader.schema, batches())


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A token is for the address that it was given for."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _text(value: object) -> str:
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    raise UsageError(f"a parameter cannot be {type(value).__name__}")


def _refusal(error: urllib.error.HTTPError) -> Exception:
    """What the endpoint says, as the error that the same question raises on a folder."""
    try:
        message = str(json.loads(error.read()).get("message", error.reason))
    except (ValueError, AttributeError, OSError, http.client.HTTPException):
        message = f"{error.code} {error.reason}"
    match error.code:
        case 400:
            return QueryError(message)
        case 401:
            return UsageError(message, hint="token=…")
        case 422:
            return QueryStopped(message)
        case 503:
            return LakeUnavailable(message)
    return LakeError(message)
