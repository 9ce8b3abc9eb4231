"""Which store an address names, and what is said where it cannot be opened."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from headrace.config import FaultList
from headrace.errors import UsageError
from headrace.lake.config import Catalogue, Lake, check
from headrace.lake.opening import arrow_path, open_store
from headrace.lake.store_config import Azure

NAMED = Catalogue(uri="sqlite:///catalogue.db")


def faults(lake: Lake) -> list[str]:
    found = FaultList()
    check(lake, found)
    return [str(fault) for fault in found.faults]


@pytest.mark.parametrize(
    ("uri", "address", "path"),
    [
        ("/srv/lake", "file:///srv/lake/a/b", "/srv/lake/a/b"),
        ("s3://bucket", "s3://bucket/a/b", "bucket/a/b"),
        ("s3://bucket/in/side/", "s3://bucket/in/side/a/b", "bucket/in/side/a/b"),
        ("gs://bucket/x", "gs://bucket/x/a/b", "bucket/x/a/b"),
        (
            "abfss://box@acme.dfs.core.windows.net/x",
            "abfss://box@acme.dfs.core.windows.net/x/a/b",
            "box/x/a/b",
        ),
        ("hdfs://nn:8020/x", "hdfs://nn:8020/x/a/b", "/x/a/b"),
        ("hdfs://nameservice", "hdfs://nameservice/a/b", "/a/b"),
    ],
)
def test_an_object_has_an_address_and_a_path_for_arrow(uri: str, address: str, path: str) -> None:
    """Both name the same object, whichever store it is; nothing is connected for that."""
    lake = Lake(uri=uri, catalogue=NAMED)
    assert faults(lake) == []
    assert open_store(lake).uri("a/b") == address
    assert arrow_path(address) == path


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("ftp://x", "expected a folder or one of s3://, gs://, abfss://, hdfs://"),
        ("s3:///x", "needs a bucket's name"),
        ("gs://", "needs a bucket's name"),
        ("hdfs:///lake", "needs a name node's address"),
        ("abfss://container/x", "expected abfss://container@account."),
    ],
)
def test_an_address_that_names_no_store_is_a_fault(uri: str, said: str) -> None:
    """Before anything starts."""
    (fault,) = faults(Lake(uri=uri, catalogue=NAMED))
    assert said in fault


def test_a_lake_elsewhere_needs_a_named_catalogue() -> None:
    """Only Glue is found without an address."""
    assert "lake.catalogue.uri: missing" in faults(Lake(uri="gs://bucket"))[0]
    assert faults(Lake(uri="s3://bucket", catalogue=Catalogue(type="glue"))) == []
    assert "needs the service's address" in faults(Lake(catalogue=Catalogue(type="hive")))[0]


def test_two_secrets_of_one_account_are_a_fault(tmp_path: Path) -> None:
    """It would be chance which of them is used."""
    file = tmp_path / "secret"
    file.write_text("x")
    both = Azure(account_key_file=file, sas_token_file=file)
    lake = Lake(uri="abfss://c@a.dfs.core.windows.net", azure=both, catalogue=NAMED)
    assert "exclude each other" in faults(lake)[0]


def test_a_library_that_is_not_installed_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Most machines have one of them at most."""
    monkeypatch.setitem(sys.modules, "hdfs_native", None)
    monkeypatch.delitem(sys.modules, "headrace.lake.stores.hdfs", raising=False)
    with pytest.raises(UsageError, match=r"hdfs:// needs the Python package of hdfs_native") as e:
        open_store(Lake(uri="hdfs://namenode:8020/x"))
    assert e.value.hint == "pip install 'headrace[hdfs]'"
