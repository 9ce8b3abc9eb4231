"""The three write endpoints, each as one call that says what the server answered.

v2 goes through influxdb-client (InfluxDB 2.x, VictoriaMetrics); v1 is one POST that InfluxDB 1.x has
understood since 2015, and v3 is one that names each bad line in its answer: neither needs a client.
None retries: the runner does. None follows a redirect: a token must not go where nobody sent it.
Tokens, passwords and CAs are renewed in their files while the gateway runs, so after a failure all of it is
made again (``RenewedWriter``).
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import urlencode

import urllib3

from gateway.sinks.influxdb.config import InfluxDBSettings
from gateway.sinks.secret import read_secret
from headrace.errors import SinkUnavailable
from headrace.tls_hints import tls_hint

#: A token or password that does not hold; the next one may.
_LOCKED_OUT: Final = frozenset({401, 403})


@dataclass(frozen=True, slots=True)
class Answer:
    """HTTP status and what the server says about it."""

    status: int
    text: str = ""


class Writer(Protocol):
    """One write endpoint."""

    def post(self, payload: bytes) -> Answer:
        """Send lines with times in microseconds.

        Raises:
            SinkUnavailable: no answer.
        """
        ...

    def close(self) -> None: ...


class _HttpWriter:
    """One POST of lines."""

    def __init__(self, settings: InfluxDBSettings, path: str, headers: Mapping[str, str]) -> None:
        self._url = settings.url.rstrip("/") + path
        self._gzip = settings.gzip
        self._pool = urllib3.PoolManager(
            headers={"Content-Type": "text/plain; charset=utf-8", **headers},
            timeout=settings.timeout_s, retries=False, maxsize=1, ca_certs=_ca(settings),
        )  # fmt: skip

    def post(self, payload: bytes) -> Answer:
        headers = dict(self._pool.headers)
        if self._gzip:
            payload = gzip.compress(payload, compresslevel=1)
            headers["Content-Encoding"] = "gzip"
        try:
            answer = self._pool.request("POST", self._url, body=payload, headers=headers, redirect=False)  # fmt: skip
        except urllib3.exceptions.HTTPError as error:
            raise _no_answer(error) from error
        return Answer(answer.status, answer.data.decode("utf-8", "replace").strip())

    def close(self) -> None:
        self._pool.clear()


class V1Writer(_HttpWriter):
    """``POST /write?db=…``."""

    def __init__(self, settings: InfluxDBSettings) -> None:
        query = urlencode({"db": settings.database, "precision": "u"})
        headers: Mapping[str, str] = {}
        if settings.username:
            credentials = f"{settings.username}:{read_secret(settings.password_file)}"
            headers = urllib3.make_headers(basic_auth=credentials)
        super().__init__(settings, f"/write?{query}", headers)


class V3Writer(_HttpWriter):
    """``POST /api/v3/write_lp?db=…``: takes what it can and says line by line what it cannot."""

    def __init__(self, settings: InfluxDBSettings) -> None:
        query = {"db": settings.database, "precision": "microsecond", "accept_partial": "true"}
        token = read_secret(settings.token_file)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        super().__init__(settings, f"/api/v3/write_lp?{urlencode(query)}", headers)


class V2Writer:
    """``POST /api/v2/write`` through influxdb-client."""

    def __init__(self, settings: InfluxDBSettings) -> None:
        # Imported here: its generated API code costs 0.3 s and 25 MB.
        from influxdb_client.client.influxdb_client import InfluxDBClient
        from influxdb_client.client.write_api import SYNCHRONOUS
        from influxdb_client.domain.write_precision import WritePrecision
        from influxdb_client.rest import ApiException

        self._refused: type[Any] = ApiException
        self._org, self._bucket = settings.org, settings.bucket
        self._precision = WritePrecision.US
        self._client: Any = InfluxDBClient(
            url=settings.url, token=read_secret(settings.token_file), org=settings.org,
            timeout=round(settings.timeout_s * 1_000), enable_gzip=settings.gzip,
            ssl_ca_cert=_ca(settings),
        )  # fmt: skip
        self._write: Any = self._client.write_api(write_options=SYNCHRONOUS)

    def post(self, payload: bytes) -> Answer:
        try:
            self._write.write(
                bucket=self._bucket, org=self._org, record=payload, write_precision=self._precision
            )
        except self._refused as error:
            if not error.status:  # None, or 0 where TLS has failed
                raise _no_answer(error.reason) from error
            return Answer(int(error.status), _text(error))
        except urllib3.exceptions.HTTPError as error:
            raise _no_answer(error) from error
        return Answer(204)

    def close(self) -> None:
        self._write.close()
        self._client.close()


class RenewedWriter:
    """The writer for the configured API, made when it is first needed and again after a failure."""

    def __init__(self, settings: InfluxDBSettings) -> None:
        self._settings = settings
        self._writer: Writer | None = None

    def post(self, payload: bytes) -> Answer:
        """As ``Writer`` has it."""
        self._writer = self._writer or _WRITERS[self._settings.api](self._settings)
        try:
            answer = self._writer.post(payload)
        except SinkUnavailable:
            self.close()
            raise
        if answer.status in _LOCKED_OUT:
            self.close()
        return answer

    def close(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()


def _text(error: Any) -> str:
    body = error.body if error.body is not None else error.reason
    return body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body)


def _ca(settings: InfluxDBSettings) -> str | None:
    return str(settings.ca_file) if settings.ca_file else None


def _no_answer(why: object) -> SinkUnavailable:
    return SinkUnavailable(
        f"InfluxDB does not answer: {why}", hint=tls_hint(str(why), ca="ca_file")
    )


_WRITERS: Final[Mapping[str, Callable[[InfluxDBSettings], Writer]]] = {
    "v1": V1Writer,
    "v2": V2Writer,
    "v3": V3Writer,
}
