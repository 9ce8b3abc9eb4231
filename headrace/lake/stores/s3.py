"""The object store port on S3 and its like (SeaweedFS, MinIO, …), through boto3.

A put on S3 is atomic and durable when it is answered; ``create`` is a conditional put
(``If-None-Match: *``), of which exactly one of several racing callers succeeds. Listings start behind
a key (``StartAfter``), so their cost does not grow with what was registered long ago.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, NoCredentialsError
from pyarrow import fs

from headrace.lake.config import Lake
from headrace.lake.store import Data, Store
from headrace.lake.stores.kind import StoreKind, after_scheme, failure
from headrace.lake.stores.s3_uploads import Uploads
from headrace.limits.lake import (
    STORE_CONNECT_TIMEOUT_S,
    STORE_READ_TIMEOUT_S,
    UPLOAD_WHOLE_MAX_BYTES,
)

_EXISTS: Final = frozenset({"PreconditionFailed", "412"})
_MISSING: Final = frozenset({"NoSuchKey", "404", "NotFound"})
#: Answers that no retry will change.
_REFUSED: Final = frozenset(
    {
        "AccessDenied", "403", "InvalidAccessKeyId", "SignatureDoesNotMatch", "NoSuchBucket",
        "ExpiredToken", "InvalidToken", "RequestTimeTooSkewed",
    }
)  # fmt: skip
_HINT: Final = "check bucket, keys (have they expired?), their policy and this machine's clock"


class S3Store(Store):
    """Objects of one bucket below one prefix."""

    def __init__(self, lake: Lake) -> None:
        self._bucket = lake.bucket
        self._prefix = lake.prefix
        self._where = lake.uri
        keys = lake.s3.keys()
        self._client: Any = boto3.client(
            "s3",
            endpoint_url=lake.s3.endpoint or None,
            region_name=lake.s3.region,
            aws_access_key_id=keys[0] if keys else None,
            aws_secret_access_key=keys[1] if keys else None,
            config=Config(
                connect_timeout=STORE_CONNECT_TIMEOUT_S,
                read_timeout=STORE_READ_TIMEOUT_S,
                # Addressing by path works without a DNS entry for each bucket.
                s3={"addressing_style": "path" if lake.s3.endpoint else "auto"},
                retries={"max_attempts": 2, "mode": "standard"},
            ),
        )
        self._uploads = Uploads(self._client, self._bucket)

    def uri(self, path: str) -> str:
        return f"s3://{self._bucket}/{self._prefix}{path}"

    def _put(self, path: str, data: Data) -> None:
        if memoryview(data).nbytes > UPLOAD_WHOLE_MAX_BYTES:
            self._uploads.put(self._prefix + path, data)
            return
        self._client.put_object(Bucket=self._bucket, Key=self._prefix + path, Body=bytes(data))

    def _create(self, path: str, data: Data) -> bool:
        try:
            self._client.put_object(
                Bucket=self._bucket, Key=self._prefix + path, Body=bytes(data), IfNoneMatch="*"
            )
        except ClientError as error:
            if _code(error) in _EXISTS:
                return False
            raise
        return True

    def _get(self, path: str) -> bytes | None:
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=self._prefix + path)
            return bytes(answer["Body"].read())
        except ClientError as error:
            if _code(error) in _MISSING:
                return None
            raise

    def _size(self, path: str) -> int | None:
        try:
            answer = self._client.head_object(Bucket=self._bucket, Key=self._prefix + path)
            return int(answer["ContentLength"])
        except ClientError as error:
            if _code(error) in _MISSING:
                return None
            raise

    def _delete(self, path: str) -> None:
        self._client.delete_object(Bucket=self._bucket, Key=self._prefix + path)

    def _names(self, folder: str, after: str) -> list[str]:
        pages = (
            self._pages(folder, StartAfter=self._prefix + after) if after else self._pages(folder)
        )
        keys = (item["Key"] for page in pages for item in page.get("Contents", ()))
        # Consoles and some servers make an empty object ``folder/`` for a folder.
        return [self._path(key) for key in keys if not key.endswith("/")]

    def _folders(self, folder: str) -> list[str]:
        return [
            self._path(item["Prefix"]).rstrip("/")
            for page in self._pages(folder)
            for item in page.get("CommonPrefixes", ())
        ]

    def _tidy(self, folder: str, older_than_s: float) -> int:
        return self._uploads.abort(f"{self._prefix}{folder}/", older_than_s=older_than_s)

    def _pages(self, folder: str, **more: str) -> Any:
        return self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=f"{self._prefix}{folder}/", Delimiter="/", **more
        )

    def _path(self, key: str) -> str:
        return key[len(self._prefix) :]

    @contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            hint = _HINT if _code(error) in _REFUSED else ""
            raise failure(self._where, what, error, hint=hint) from error
        except NoCredentialsError as error:
            raise failure(self._where, what, error, hint=_HINT) from error
        except (BotoCoreError, HTTPClientError) as error:
            raise failure(self._where, what, error) from error


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def arrow_filesystem(lake: Lake) -> fs.FileSystem:
    """The same bucket for Arrow's readers; their paths are ``bucket/key``."""
    options: dict[str, Any] = {"region": lake.s3.region}
    if lake.s3.endpoint:
        scheme, _, host = lake.s3.endpoint.rpartition("://")
        options |= {"endpoint_override": host, "scheme": scheme or "https"}
    keys = lake.s3.keys()
    if keys:
        options |= {"access_key": keys[0], "secret_key": keys[1]}
    return fs.S3FileSystem(**options)


def iceberg_properties(lake: Lake) -> dict[str, str]:
    """The same keys for pyiceberg; credentials that a catalogue hands out take their place."""
    options = {"s3.region": lake.s3.region}
    if lake.s3.endpoint:
        options["s3.endpoint"] = lake.s3.endpoint
    keys = lake.s3.keys()
    if keys:
        options |= {"s3.access-key-id": keys[0], "s3.secret-access-key": keys[1]}
    return options


KIND: Final = StoreKind(
    open=S3Store,
    filesystem=arrow_filesystem,
    arrow_path=after_scheme,
    properties=iceberg_properties,
)
