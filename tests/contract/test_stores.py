"""One suite for every object store: what the port promises, against a real server of each kind."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from headrace.errors import HeadraceError, LakeError, LakeUnavailable
from headrace.lake.config import Lake
from headrace.lake.opening import arrow_filesystem, arrow_path, open_store
from headrace.lake.store import Store
from tests.contract.store_servers import CASES, Case

#: Larger than what any client sends in one request.
LARGE_BYTES = 70_000_000


@pytest.fixture(scope="module", params=CASES)
def case(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Case]:
    with ExitStack() as stack:
        yield CASES[request.param](tmp_path_factory.mktemp("store") / "at", stack)


@pytest.fixture
def lake(case: Case, request: pytest.FixtureRequest) -> Lake:
    """A place of this test's own."""
    return case.lake(f"{request.function.__name__}/deep")


@pytest.fixture
def store(lake: Lake) -> Store:
    return open_store(lake)


def test_an_object_comes_back_as_it_was_put(store: Store) -> None:
    """Whole, with its size; a second put takes its place."""
    store.put("a/b/c.json", b"first")
    assert (store.get("a/b/c.json"), store.size("a/b/c.json")) == (b"first", 5)
    store.put("a/b/c.json", b"")
    assert (store.get("a/b/c.json"), store.size("a/b/c.json")) == (b"", 0)


def test_what_is_not_there_is_none_and_its_folder_empty(store: Store) -> None:
    """No error: a reader that looks too early is not wrong."""
    assert (store.get("a/nothing"), store.size("a/nothing")) == (None, None)
    assert (store.names("a"), store.folders("a")) == ([], [])


def test_an_object_is_created_once(store: Store) -> None:
    """Who comes second is told so, and changes nothing."""
    assert store.create("a/manifest.json", b"first")
    assert not store.create("a/manifest.json", b"second")
    assert store.get("a/manifest.json") == b"first"
    assert store.names("a") == ["a/manifest.json"]


def test_of_many_who_create_an_object_one_wins(store: Store) -> None:
    """At once, each with a connection of its own pool; the winner's bytes are there and no others."""
    for turn in range(4):
        path = f"a/{turn}"
        with ThreadPoolExecutor(8) as pool:
            won = list(pool.map(lambda at, path=path: store.create(path, b"%d" % at), range(8)))
        assert sum(won) == 1
        assert store.get(path) == b"%d" % won.index(True)
    assert len(store.names("a")) == 4


def test_a_deleted_object_is_gone_and_can_be_created_again(store: Store) -> None:
    """To delete what is not there is not an error: a retry must not fail."""
    store.put("a/b", b"x")
    store.delete("a/b")
    store.delete("a/b")
    assert (store.get("a/b"), store.names("a")) == (None, [])
    assert store.create("a/b", b"y")


def test_names_are_listed_in_order_from_behind_one(store: Store) -> None:
    """Of one folder, without what lies deeper; the start may be a name that is not there."""
    for name in ("3.json", "1.json", "2.json", "4.parquet", "deeper/5.json"):
        store.put(f"landing/site=a/{name}", b"x")
    store.put("landing/site=b/9.json", b"x")
    folder = "landing/site=a"
    assert store.names(folder) == [
        f"{folder}/{name}" for name in ("1.json", "2.json", "3.json", "4.parquet")
    ]
    assert store.names(folder, after=f"{folder}/2.json") == [
        f"{folder}/3.json",
        f"{folder}/4.parquet",
    ]
    assert store.names(folder, after=f"{folder}/2.zzz") == [
        f"{folder}/3.json",
        f"{folder}/4.parquet",
    ]
    assert store.folders("landing") == ["landing/site=a", "landing/site=b"]
    assert store.folders(folder) == [f"{folder}/deeper"]


def test_a_listing_longer_than_a_page_is_whole(case: Case, store: Store) -> None:
    """S3 and Google give 1,000 names at a time."""
    names = [f"many/{at:05}" for at in range(case.page)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: store.put(name, b"x"), names))
    assert store.names("many") == names
    assert store.names("many", after="many/00020") == names[21:]


def test_names_may_be_unicode_and_strange(lake: Lake, store: Store) -> None:
    """They come back as they went in, from listings and through Arrow too."""
    names = ["Maß °C.txt", "a b", "ünï", "日本", "x+y=z&w", "100%25#?", "quote'd"]
    for name in names:
        store.put(f"ordner mit ü/{name}", name.encode())
    assert store.names("ordner mit ü") == sorted(f"ordner mit ü/{name}" for name in names)
    for name in names:
        assert store.get(f"ordner mit ü/{name}") == name.encode()
    with arrow_filesystem(lake).open_input_file(arrow_path(store.uri("ordner mit ü/日本"))) as file:
        assert file.read() == "日本".encode()


def test_a_large_object_is_whole(lake: Lake, store: Store) -> None:
    """Sent in parts where the store wants that; Arrow reads a piece from the middle of it."""
    data = bytes(range(256)) * (LARGE_BYTES // 256)
    store.put("large", memoryview(data))
    assert store.size("large") == len(data)
    assert store.get("large") == data
    with arrow_filesystem(lake).open_input_file(arrow_path(store.uri("large"))) as file:
        assert file.read_at(1_000, len(data) // 2 + 7) == data[len(data) // 2 + 7 :][:1_000]


def test_readers_see_the_old_object_or_the_new_one(store: Store) -> None:
    """Never a half: while one writes in turns, others read."""
    old, new = b"o" * 200_000, b"n" * 300_000
    store.put("a", old)
    with ThreadPoolExecutor(3) as pool:
        writing = pool.submit(lambda: [store.put("a", each) for each in (new, old) * 10])
        seen = {store.get("a")}
        while not writing.done():
            seen.add(store.get("a"))
        writing.result()
    assert seen <= {old, new}


def test_what_a_killed_writer_has_left_is_tidied(lake: Lake, store: Store) -> None:
    """Where objects are made under temporary names: only those, and only old ones."""
    if lake.scheme not in ("file", "hdfs"):
        pytest.skip("an object of a bucket is there whole or not at all")
    store.put("a/.other.json.0a1b2c3d", b"half")
    store.put("a/manifest.json", b"whole")
    assert store.names("a") == ["a/manifest.json"]
    assert store.tidy("a", older_than_s=3_600) == 0
    assert store.tidy("a", older_than_s=-60) == 1
    assert (store.get("a/.other.json.0a1b2c3d"), store.get("a/manifest.json")) == (None, b"whole")
    assert store.tidy("nowhere", older_than_s=0) == 0


def test_what_is_refused_or_away_is_said(case: Case) -> None:
    """Refused means that a person must act, and says how; away heals by itself."""
    for how, lake in case.bad.items():
        with pytest.raises(HeadraceError) as caught:
            open_store(lake).put("a", b"x")
        expected = LakeUnavailable if how == "unreachable" else LakeError
        assert type(caught.value) is expected, (how, caught.value)
        assert "cannot put a" in caught.value.message
        if expected is LakeError:
            assert case.wants_hint in caught.value.hint
