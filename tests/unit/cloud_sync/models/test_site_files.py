"""What a site keeps on disk: the clock's floor, fetched versions, the mirror."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from headrace.errors import ModelError, StorageError, UsageError
from headrace.models.client import ModelRepositoryClient
from headrace.models.floor import ClockFloor
from headrace.models.sources import FolderSource, open_source
from tests.graphs import good
from tests.model_repository import Repository, packed

NOON_US = 1_750_000_000_000_000


def test_the_floor_only_rises_and_survives_a_restart(tmp_path: Path) -> None:
    """A clock below it is not believed, one above it is."""
    floor = ClockFloor(tmp_path / "floor.json")
    floor.raise_to(NOON_US)
    floor.raise_to(NOON_US - 5)
    again = ClockFloor(tmp_path / "floor.json")
    assert again.not_before_us == NOON_US
    assert again.at_least(0) == datetime.fromtimestamp(NOON_US / 1e6, UTC)
    assert again.at_least(NOON_US + 1_000_000) > again.at_least(0)


@pytest.mark.parametrize("data", [b"", b"\0\0\0", b'{"not_before_us": "x"}'])
def test_a_damaged_floor_is_begun_anew(tmp_path: Path, data: bytes) -> None:
    """Versions of metadata still only go up; what is lost is one defence of two."""
    (tmp_path / "floor.json").write_bytes(data)
    floor = ClockFloor(tmp_path / "floor.json")
    floor.raise_to(NOON_US)
    assert ClockFloor(tmp_path / "floor.json").not_before_us == NOON_US


def test_a_floor_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """Here because a file is where its folder should be."""
    (tmp_path / "file").write_bytes(b"")
    floor = ClockFloor(tmp_path / "new" / "floor.json")
    (tmp_path / "new").write_bytes(b"")
    with pytest.raises(StorageError, match="cannot be written"):
        floor.raise_to(NOON_US)


@pytest.fixture
def client(tmp_path: Path) -> ModelRepositoryClient:
    """A site with four versions of one model and one of another."""
    repository = Repository(tmp_path)
    for name in ("m", "m", "m", "m", "other"):
        repository.publish(packed(good(), name=name), to="all")
    client = ModelRepositoryClient(
        folder=tmp_path / "site",
        source=FolderSource(repository.folder),
        trusted_root=repository.root.read_bytes(),
    )
    client.refresh()
    for name, version in (("m", 1), ("m", 2), ("m", 4), ("other", 1)):
        client.fetch(name, version)
    return client


def test_versions_that_are_not_kept_leave_disk_and_mirror(client: ModelRepositoryClient) -> None:
    """And can be fetched again."""
    assert client.fetched() == [("m", 1), ("m", 2), ("m", 4), ("other", 1)]
    client.prune([("m", 4), ("other", 1)])
    assert client.fetched() == [("m", 4), ("other", 1)]
    assert not list(client.mirror.rglob("models/m/2/*"))
    client.fetch("m", 2)
    assert client.fetched() == [("m", 2), ("m", 4), ("other", 1)]


def test_the_mirror_does_not_grow_with_refreshes(tmp_path: Path) -> None:
    """Of each kind of metadata the newest three stay."""
    repository = Repository(tmp_path)
    client = ModelRepositoryClient(
        folder=tmp_path / "site",
        source=FolderSource(repository.folder),
        trusted_root=repository.root.read_bytes(),
    )
    repository.publish(packed(good()))
    for _ in range(6):
        repository.releases.promote("m", 1, "all")
        client.refresh()
    for kind in (
        "metadata/*.snapshot.json",
        "metadata/*.targets.json",
        "targets/*.assignments.json",
    ):
        assert len(list(client.mirror.glob(kind))) == 3


@pytest.mark.parametrize("name", ["../m", "", "a/b", "."])
def test_a_name_that_is_none_never_becomes_a_path(client: ModelRepositoryClient, name: str) -> None:
    """Wherever it comes from."""
    with pytest.raises(UsageError, match="expected a model's name"):
        client.fetch(name, 1)


def test_nothing_is_fetched_before_the_first_refresh(
    tmp_path: Path, client: ModelRepositoryClient
) -> None:
    """There is nothing yet to verify it by."""
    fresh = ModelRepositoryClient(
        folder=tmp_path / "fresh",
        source=FolderSource(tmp_path / "repository"),
        trusted_root=(tmp_path / "root.json").read_bytes(),
    )
    assert fresh.assignments() is None
    with pytest.raises(ModelError, match="never refreshed here"):
        fresh.fetch("m", 1)


@pytest.mark.parametrize("address", ["ftp://example/models", "s3://bucket/models"])
def test_an_address_of_another_kind_is_refused(address: str) -> None:
    """An object store is opened by who has its keys."""
    with pytest.raises(Exception, match="expected a folder"):
        open_source(address)
