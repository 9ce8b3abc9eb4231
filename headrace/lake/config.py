"""Where journal and lake are: the tables that cloud_sync and ``headrace query`` share.

A local lake needs a folder and nothing else: catalogue and warehouse lie in it. A lake elsewhere needs a
catalogue that is named, because an object cannot be one. Secrets stand in files of their own or come
from the environment, never in the configuration.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from headrace.config import FaultList
from headrace.journal import FILE_NAME
from headrace.lake.store_config import S3 as S3
from headrace.lake.store_config import Azure, Gcs, Hdfs
from headrace.lake.store_config import read_secret as read_secret

DEFAULT_DATA: Final = Path("headrace-data")
CATALOGUE_FILE: Final = "catalogue.db"
WAREHOUSE_FOLDER: Final = "warehouse"

#: How a lake's address may begin; anything without ``://`` is a folder.
SCHEMES: Final = ("s3", "gs", "abfss", "hdfs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """``[journal]``: the gateway's journal file, on the same machine."""

    path: Path = DEFAULT_DATA / "gateway" / FILE_NAME


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """``[lake.catalogue]``: a database, an Iceberg REST service, AWS Glue or a Hive metastore."""

    type: Literal["sql", "rest", "glue", "hive"] = "sql"
    uri: str = ""
    warehouse: str = ""
    credential_file: Path | None = None
    properties: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lake:
    """``[lake]``: a folder (``headrace-data/lake``, ``file:/srv/lake``) or an address.

    ::

        s3://bucket/prefix    gs://bucket/prefix    hdfs://namenode:8020/folder
        abfss://container@account.dfs.core.windows.net/prefix
    """

    uri: str = "headrace-data/lake"
    s3: S3 = field(default_factory=S3)
    gcs: Gcs = field(default_factory=Gcs)
    azure: Azure = field(default_factory=Azure)
    hdfs: Hdfs = field(default_factory=Hdfs)
    catalogue: Catalogue = field(default_factory=Catalogue)

    @property
    def scheme(self) -> str:
        """``file`` for a folder."""
        return self.uri.partition("://")[0] if "://" in self.uri else "file"

    @property
    def is_local(self) -> bool:
        return self.scheme == "file"

    @property
    def place(self) -> str:
        """What stands between scheme and path: bucket, ``container@host`` or name node."""
        return self.uri.partition("://")[2].partition("/")[0]

    @property
    def bucket(self) -> str:
        return self.place.partition("@")[0]

    @property
    def host(self) -> str:
        """Of an Azure account."""
        return self.place.partition("@")[2]

    @property
    def account(self) -> str:
        return self.host.partition(".")[0]

    @property
    def prefix(self) -> str:
        """What stands before every key in a bucket; empty or ending in a slash."""
        inner = self.uri.partition("://")[2].partition("/")[2].strip("/")
        return f"{inner}/" if inner else ""

    @property
    def folder(self) -> Path:
        """The local lake's folder, absolute: Iceberg metadata holds absolute paths."""
        text = self.uri.removeprefix("file:")
        if text.startswith("//"):
            text = "/" + text.lstrip("/")
        return Path(text).absolute()


def for_data(folder: Path) -> tuple[Journal, Lake]:
    """Journal and lake of a data folder: ``gateway/journal.db`` and ``lake/``."""
    return Journal(path=folder / "gateway" / FILE_NAME), Lake(uri=str(folder / "lake"))


def check(lake: Lake, found: FaultList, *, needs_catalogue: bool = True) -> None:
    """Faults that no single key can have. Who lands and does not register needs no catalogue."""
    _check_uri(lake, found)
    if needs_catalogue:
        _check_catalogue(lake, found)
    if (lake.s3.access_key_file is None) != (lake.s3.secret_key_file is None):
        found.add("lake.s3", "access_key_file and secret_key_file go together; one is missing")
    if lake.azure.account_key_file is not None and lake.azure.sas_token_file is not None:
        found.add("lake.azure", "account_key_file and sas_token_file exclude each other")
    for key, path in _secret_files(lake).items():
        if path is not None and not path.is_file():
            found.add(key, f"no such file: {path}")


def _check_uri(lake: Lake, found: FaultList) -> None:
    if lake.is_local:
        if any(sign in lake.uri for sign in "#?%"):
            found.add(
                "lake.uri", f"a folder without the characters # ? % (Iceberg), got {lake.uri!r}"
            )
    elif lake.scheme not in SCHEMES:
        known = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        found.add("lake.uri", f"expected a folder or one of {known}, got {lake.uri!r}")
    elif lake.scheme == "abfss" and not (lake.bucket and lake.account):
        found.add(
            "lake.uri",
            f"expected abfss://container@account.dfs.core.windows.net/prefix, got {lake.uri!r}",
        )
    elif not lake.bucket:
        needed = "a name node's address" if lake.scheme == "hdfs" else "a bucket's name"
        found.add("lake.uri", f"{lake.scheme}:// needs {needed}, got {lake.uri!r}")


def _check_catalogue(lake: Lake, found: FaultList) -> None:
    catalogue = lake.catalogue
    if catalogue.uri or catalogue.type == "glue":
        return
    if not lake.is_local:
        found.add(
            "lake.catalogue.uri",
            "missing; a lake that is not a folder needs the address of its catalogue",
        )
    elif catalogue.type != "sql":
        found.add(
            "lake.catalogue.uri",
            f'missing; type = "{catalogue.type}" needs the service\'s address',
        )


def _secret_files(lake: Lake) -> dict[str, Path | None]:
    return {
        "lake.s3.access_key_file": lake.s3.access_key_file,
        "lake.s3.secret_key_file": lake.s3.secret_key_file,
        "lake.azure.account_key_file": lake.azure.account_key_file,
        "lake.azure.sas_token_file": lake.azure.sas_token_file,
        "lake.catalogue.credential_file": lake.catalogue.credential_file,
    }
