"""Large objects to S3 in parts: an upload that was cut goes on with the parts that are there.

Nothing is remembered on this side. Names follow from what is uploaded, so the next attempt asks the store
for an unfinished upload of that name and for its parts, and sends those whose size or MD5 differ. An
object appears when the upload is completed, whole. Who may not list uploads (a site with write permission
alone) begins a new one each time; the old one costs storage until it is aborted, by ``abort`` from whoever
may, or by the bucket's own rule (docs/lake.md).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from botocore.exceptions import ClientError

from headrace.limits.lake import UPLOAD_PART_BYTES

_DENIED: Final = frozenset({"AccessDenied", "403", "NotImplemented"})

#: ETags by part number.
Parts = dict[int, str]


class Uploads:
    """Uploads in parts to one bucket."""

    def __init__(self, client: Any, bucket: str, *, part_bytes: int = UPLOAD_PART_BYTES) -> None:
        self._client = client
        self._bucket = bucket
        self._part_bytes = part_bytes

    def put(self, key: str, data: Any) -> None:
        """Store an object, going on where an earlier attempt was cut."""
        upload = self._unfinished(key) or self._begin(key)
        there = self._parts(key, upload)
        done = [
            {"PartNumber": number, "ETag": self._part(key, upload, number, part, there.get(number))}
            for number, part in self._cut(data)
        ]
        self._client.complete_multipart_upload(
            Bucket=self._bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": done}
        )

    def abort(self, prefix: str, *, older_than_s: float) -> int:
        """Give up uploads below a prefix that began that long ago; how many."""
        before = datetime.now(UTC) - timedelta(seconds=older_than_s)
        old = [each for each in self._list(prefix) if each["Initiated"] < before]
        for each in old:
            self._client.abort_multipart_upload(
                Bucket=self._bucket, Key=each["Key"], UploadId=each["UploadId"]
            )
        return len(old)

    def _cut(self, data: Any) -> Iterator[tuple[int, bytes]]:
        whole = memoryview(data)
        for number, start in enumerate(range(0, whole.nbytes, self._part_bytes), start=1):
            yield number, bytes(whole[start : start + self._part_bytes])

    def _part(self, key: str, upload: str, number: int, part: bytes, there: str | None) -> str:
        """The part's ETag, which is its MD5 unless the store encrypts: then it is sent again."""
        if there == f'"{hashlib.md5(part, usedforsecurity=False).hexdigest()}"':
            return there
        sent = self._client.upload_part(
            Bucket=self._bucket, Key=key, UploadId=upload, PartNumber=number, Body=part
        )
        return str(sent["ETag"])

    def _begin(self, key: str) -> str:
        return str(self._client.create_multipart_upload(Bucket=self._bucket, Key=key)["UploadId"])

    def _unfinished(self, key: str) -> str | None:
        """The newest upload of that name; the others are left to ``abort``."""
        own = [each for each in self._list(key) if each["Key"] == key]
        return str(max(own, key=lambda each: each["Initiated"])["UploadId"]) if own else None

    def _parts(self, key: str, upload: str) -> Parts:
        pages = self._client.get_paginator("list_parts").paginate(
            Bucket=self._bucket, Key=key, UploadId=upload
        )
        try:
            return {
                part["PartNumber"]: part["ETag"] for page in pages for part in page.get("Parts", ())
            }
        except ClientError as error:
            if _code(error) in _DENIED:
                return {}
            raise

    def _list(self, prefix: str) -> list[dict[str, Any]]:
        pages = self._client.get_paginator("list_multipart_uploads").paginate(
            Bucket=self._bucket, Prefix=prefix
        )
        try:
            return [each for page in pages for each in page.get("Uploads", ())]
        except ClientError as error:
            if _code(error) in _DENIED:
                return []
            raise


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
