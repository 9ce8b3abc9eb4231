"""Where journal and lake are: the tables that cloud_sync and ``headrace query`` share.

A local lake needs a folder and nothing else: catalogue and warehouse lie in it. A lake on S3 needs a
catalogue that is named, because a file on S3 cannot be one. Secrets stand in files of their own or
come from the environment, never in the configuration.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from headrace.config import FaultList
from headrace.errors import ConfigError, Fault
from headrace.journal import FILE_NAME

DEFAULT_DATA: Final = Path("headrace-data")
CATALOGUE_FILE: Final = "catalogue.db"
WAREHOUSE_FOLDER: Final = "warehouse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """``[journal]``: the gateway's journal file, on the same machine."""

    path: Path = DEFAULT_DATA / "gateway" / FILE_NAME


@dataclass(frozen=True, slots=True, kw_only=True)
class S3:
    """``[lake.s3]``: empty values are left to boto3's and Arrow's own chain (environment, roles)."""

    endpoint: str = ""
    region: str = "us-east-1"
    access_key_file: Path | None = None
    secret_key_file: Path | None = None

    def keys(self) -> tuple[str, str] | None:
        """Access key and secret from their files; None where they are left to the chain."""
        if self.access_key_file is None or self.secret_key_file is None:
            return None
        return read_secret(self.access_key_file), read_secret(self.secret_key_file)


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """``[lake.catalogue]``: ``sql`` is one file on one machine, ``rest`` an Iceberg REST service."""

    type: Literal["sql", "rest"] = "sql"
    uri: str = ""
    warehouse: str = ""
    credential_file: Path | None = None
    properties: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lake:
    """``[lake]``: a folder (``headrace-data/lake``, ``file:/srv/lake``) or ``s3://bucket/prefix``."""

    uri: str = "headrace-data/lake"
    s3: S3 = S3()
    catalogue: Catalogue = field(default_factory=Catalogue)

    @property
    def is_s3(self) -> bool:
        return self.uri.startswith("s3://")

    @property
    def bucket(self) -> str:
        return self.uri.removeprefix("s3://").partition("/")[0]

    @property
    def prefix(self) -> str:
        """What stands before every key on S3; empty or ending in a slash."""
        inner = self.uri.removeprefix("s3://").partition("/")[2].strip("/")
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


def check(lake: Lake, found: FaultList) -> None:
    """Faults that no single key can have."""
    if "://" in lake.uri and not lake.uri.startswith(("s3://", "file://")):
        found.add("lake.uri", f"expected a folder or s3://bucket/prefix, got {lake.uri!r}")
    if not lake.is_s3 and any(sign in lake.uri for sign in "#?%"):
        found.add("lake.uri", f"a folder without the characters # ? % (Iceberg), got {lake.uri!r}")
    if lake.is_s3 and not lake.bucket:
        found.add("lake.uri", f"s3:// needs a bucket's name, got {lake.uri!r}")
    if lake.is_s3 and not lake.catalogue.uri:
        found.add("lake.catalogue.uri", "missing; a lake on S3 needs the address of its catalogue")
    if lake.catalogue.type == "rest" and not lake.catalogue.uri:
        found.add("lake.catalogue.uri", 'missing; type = "rest" needs the service\'s address')
    if (lake.s3.access_key_file is None) != (lake.s3.secret_key_file is None):
        found.add("lake.s3", "access_key_file and secret_key_file go together; one is missing")
    secrets = {
        "lake.s3.access_key_file": lake.s3.access_key_file,
        "lake.s3.secret_key_file": lake.s3.secret_key_file,
        "lake.catalogue.credential_file": lake.catalogue.credential_file,
    }
    for key, path in secrets.items():
        if path is not None and not path.is_file():
            found.add(key, f"no such file: {path}")


def read_secret(path: Path) -> str:
    """The one line of a secret's file."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), [Fault("", f"cannot be read: {error}")]) from error
