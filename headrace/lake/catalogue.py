"""Opening the Iceberg catalogue, and its errors as ours.

A catalogue answers in three ways: done, refused, or not at all. The last two are told apart here
only as far as a reader needs it; whoever commits reads the table back after every failure
(``cloud_sync.lake.registrar``), so that no list of exceptions has to be complete.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.exceptions import (
    CommitFailedException,
    ForbiddenError,
    NamespaceAlreadyExistsError,
    NoSuchNamespaceError,
    NoSuchTableError,
    NotInstalledError,
    OAuthError,
    RESTError,
    TableAlreadyExistsError,
    UnauthorizedError,
)
from pyiceberg.io import load_file_io
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from requests.exceptions import RequestException
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError, SQLAlchemyError

from headrace.errors import CommitConflict, LakeError, LakeUnavailable, MetadataLost, UsageError
from headrace.lake.config import CATALOGUE_FILE, WAREHOUSE_FOLDER, Lake, read_secret
from headrace.lake.opening import iceberg_properties

NAMESPACE: Final = "headrace"
READINGS: Final = (NAMESPACE, "readings")

_OTHERS: Final = (
    ("botocore.exceptions", "BotoCoreError"),
    ("botocore.exceptions", "ClientError"),
    ("thrift.Thrift", "TException"),
)

#: Answers of Glue that no retry will change.
_AWS_REFUSED: Final = frozenset(
    {"AccessDenied", "ExpiredToken", "InvalidSignature", "UnrecognizedClient"}
)
_SQL_REFUSED: Final = ("authentication failed", "no password supplied", "permission denied")


@contextmanager
def catalogue_errors(what: str) -> Iterator[None]:
    """Turn what pyiceberg and the libraries below it raise into LakeErrors."""
    try:
        yield
    except (UnauthorizedError, ForbiddenError, OAuthError) as error:
        raise LakeError(
            f"catalogue: cannot {what}: {error}", hint="check lake.catalogue.credential_file"
        ) from error
    except CommitFailedException as error:
        raise CommitConflict(f"catalogue: another writer was first: {error}") from error
    except ValueError as error:
        raise LakeError(f"catalogue: cannot {what}: {_first_line(error)}") from error
    except NotInstalledError as error:
        raise UsageError(
            f"catalogue: cannot {what}: {error}", hint="pip install 'headrace[hive]'"
        ) from error
    except _raised_below() as error:
        message = f"catalogue: cannot {what}: {_first_line(error)}"
        if _is_refused(error):
            hint = "check the catalogue's keys or password (have they expired?) and their rights"
            raise LakeError(message, hint=hint) from error
        raise LakeUnavailable(message) from error


def open_catalogue(lake: Lake) -> Catalog:
    """The catalogue that a configuration names; a local one is made where it is missing.

    Raises:
        LakeUnavailable: it does not answer.
    """
    if lake.is_local:
        lake.folder.mkdir(parents=True, exist_ok=True)
    with catalogue_errors("open it"):
        try:
            return load_catalog(NAMESPACE, **_properties(lake))
        except (OperationalError, ProgrammingError, IntegrityError):
            # Of two processes that make a new SQL catalogue's tables at once one comes too late; now
            # they are there.
            return load_catalog(NAMESPACE, **_properties(lake))


def exists(lake: Lake) -> bool:
    """Whether there can be a catalogue: a local one that is missing must not be made by a reader."""
    return not lake.is_local or bool(lake.catalogue.uri) or (lake.folder / CATALOGUE_FILE).exists()


def load_readings(catalogue: Catalog) -> Table | None:
    """The table as it is now; None before the first registration."""
    with catalogue_errors("load the table"):
        try:
            return catalogue.load_table(READINGS)
        except (NoSuchTableError, NoSuchNamespaceError):
            return None
        except FileNotFoundError as error:
            raise MetadataLost(
                f"catalogue: the metadata of the table is gone: {_first_line(error)}",
                hint="put that file back, or `cloud-sync restore-table --older`",
            ) from error


def make_namespace(catalogue: Catalog, lake: Lake) -> None:
    """The namespace of all tables, if it is not there.

    A Hive metastore would put its tables into a folder of its own if they were not given a place. Of two that
    make a namespace at once it removes the folder that the later one has made, with what the other one has put
    into it meanwhile; a folder that is there before both stays.
    """
    place = {"location": _warehouse(lake)} if lake.catalogue.type == "hive" else {}
    if place and not catalogue.namespace_exists(NAMESPACE):
        _make_folder(catalogue, place["location"])
    with suppress(NamespaceAlreadyExistsError):
        catalogue.create_namespace(NAMESPACE, place)


def _make_folder(catalogue: Catalog, location: str) -> None:
    """A file makes a folder on every store."""
    files = load_file_io(catalogue.properties, location)
    with files.new_output(f"{location}/.headrace").create(overwrite=True) as file:
        file.write(b"The tables of the namespace headrace.\n")


def create_table(
    catalogue: Catalog, lake: Lake, name: tuple[str, str], schema: Schema, **options: Any
) -> Table:
    """Make a table, and the namespace where it is missing.

    Raises:
        CommitConflict: another writer has made it, who may have put into it what was to be put into this one.
    """
    with catalogue_errors("make the table"):
        make_namespace(catalogue, lake)
        try:
            return catalogue.create_table(name, schema, **options)
        except TableAlreadyExistsError as error:
            raise CommitConflict("catalogue: another writer has made the table") from error


def _properties(lake: Lake) -> dict[str, Any]:
    named = lake.catalogue
    own = {"sql": _sql, "rest": _rest, "glue": _glue, "hive": _hive}[named.type](lake)
    return {"type": named.type} | iceberg_properties(lake) | own | named.properties


def _sql(lake: Lake) -> dict[str, str]:
    uri = lake.catalogue.uri or f"sqlite:///{lake.folder / CATALOGUE_FILE}"
    if lake.catalogue.credential_file is not None:
        url = make_url(uri).set(password=read_secret(lake.catalogue.credential_file))
        uri = url.render_as_string(hide_password=False)
    return {"uri": uri, "warehouse": _warehouse(lake)}


def _rest(lake: Lake) -> dict[str, str]:
    options = {"uri": lake.catalogue.uri, "warehouse": lake.catalogue.warehouse}
    if lake.catalogue.credential_file is not None:
        options["credential"] = read_secret(lake.catalogue.credential_file)
        # pyiceberg's own fallback to this address goes away in 1.0.
        options["oauth2-server-uri"] = f"{lake.catalogue.uri.rstrip('/')}/v1/oauth/tokens"
    return options


def _glue(lake: Lake) -> dict[str, Any]:
    """Region and keys are those of S3: both are asked in one account."""
    options: dict[str, Any] = {"glue.region": lake.s3.region, "warehouse": _warehouse(lake)}
    # By itself it tries ten times, which takes half a minute; the registrar tries again anyway.
    options["glue.max-retries"] = 2
    if lake.catalogue.uri:
        options["glue.endpoint"] = lake.catalogue.uri
    keys = lake.s3.keys()
    if keys:
        options |= {"glue.access-key-id": keys[0], "glue.secret-access-key": keys[1]}
    return options


def _hive(lake: Lake) -> dict[str, str]:
    return {"uri": lake.catalogue.uri, "warehouse": _warehouse(lake)}


def _warehouse(lake: Lake) -> str:
    """Where tables are made: below the lake, unless told otherwise."""
    root = f"file://{lake.folder}" if lake.is_local else lake.uri.rstrip("/")
    return lake.catalogue.warehouse or f"{root}/{WAREHOUSE_FOLDER}"


def _raised_below() -> tuple[type[Exception], ...]:
    """Base errors of the libraries below; of those that only some catalogues need, if they are loaded."""
    others = [getattr(sys.modules[at], name) for at, name in _OTHERS if at in sys.modules]
    return (RESTError, RequestException, SQLAlchemyError, OSError, *others)


def _is_refused(error: Any) -> bool:
    """Whether Glue or a database does not take the credential; no retry will change that."""
    answer = getattr(error, "response", None)
    if isinstance(answer, dict):
        return answer.get("Error", {}).get("Code", "").removesuffix("Exception") in _AWS_REFUSED
    # psycopg has no SQLSTATE for a connection that was not made.
    return isinstance(error, OperationalError) and any(each in str(error) for each in _SQL_REFUSED)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
