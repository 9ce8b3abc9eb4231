"""Opening the Iceberg catalogue, and its errors as ours.

A catalogue answers in three ways: done, refused, or not at all. The last two are told apart here
only as far as a reader needs it; whoever commits reads the table back after every failure
(``cloud_sync.lake.registrar``), so that no list of exceptions has to be complete.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.exceptions import (
    CommitFailedException,
    ForbiddenError,
    NoSuchNamespaceError,
    NoSuchTableError,
    OAuthError,
    RESTError,
    UnauthorizedError,
)
from pyiceberg.table import Table
from requests.exceptions import RequestException
from sqlalchemy.exc import SQLAlchemyError

from headrace.errors import LakeError, LakeUnavailable
from headrace.lake.config import CATALOGUE_FILE, WAREHOUSE_FOLDER, Lake, read_secret

NAMESPACE: Final = "headrace"
READINGS: Final = (NAMESPACE, "readings")


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
        raise LakeUnavailable(f"catalogue: another writer was first: {error}") from error
    except ValueError as error:
        raise LakeError(f"catalogue: cannot {what}: {_first_line(error)}") from error
    except (RESTError, RequestException, SQLAlchemyError, OSError) as error:
        raise LakeUnavailable(f"catalogue: cannot {what}: {_first_line(error)}") from error


def open_catalogue(lake: Lake) -> Catalog:
    """The catalogue that a configuration names; a local one is made where it is missing.

    Raises:
        LakeUnavailable: it does not answer.
    """
    if not lake.is_s3:
        lake.folder.mkdir(parents=True, exist_ok=True)
    with catalogue_errors("open it"):
        return load_catalog(NAMESPACE, **_properties(lake))


def exists(lake: Lake) -> bool:
    """Whether there can be a catalogue: a local one that is missing must not be made by a reader."""
    return lake.is_s3 or bool(lake.catalogue.uri) or (lake.folder / CATALOGUE_FILE).exists()


def load_readings(catalogue: Catalog) -> Table | None:
    """The table as it is now; None before the first registration."""
    with catalogue_errors("load the table"):
        try:
            return catalogue.load_table(READINGS)
        except (NoSuchTableError, NoSuchNamespaceError):
            return None


def _properties(lake: Lake) -> dict[str, Any]:
    options: dict[str, Any] = {
        "type": lake.catalogue.type,
        "uri": lake.catalogue.uri or f"sqlite:///{lake.folder / CATALOGUE_FILE}",
        "warehouse": lake.catalogue.warehouse or f"file://{lake.folder / WAREHOUSE_FOLDER}",
    }
    if lake.catalogue.credential_file is not None:
        options["credential"] = read_secret(lake.catalogue.credential_file)
        # pyiceberg's own fallback to this address goes away in 1.0.
        options["oauth2-server-uri"] = f"{lake.catalogue.uri.rstrip('/')}/v1/oauth/tokens"
    if lake.is_s3:
        options |= _s3_properties(lake)
    else:
        options["py-io-impl"] = "headrace.lake.fileio.SyncedFileIO"
    return options | lake.catalogue.properties


def _s3_properties(lake: Lake) -> dict[str, str]:
    options = {"s3.region": lake.s3.region}
    if lake.s3.endpoint:
        options["s3.endpoint"] = lake.s3.endpoint
    keys = lake.s3.keys()
    if keys:
        options |= {"s3.access-key-id": keys[0], "s3.secret-access-key": keys[1]}
    return options


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
