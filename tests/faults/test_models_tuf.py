"""What a gateway does when the model repository, the link to it or the clock cannot be trusted.

Each case ends on an error that says why, and on the assignments and models that were there before.
"""

from __future__ import annotations

import pickle
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from cloud_sync.models.editor import Editor
from cloud_sync.models.keys import Seen
from cloud_sync.models.package import Package
from cloud_sync.models.releases import Releases
from headrace.clock import ManualClock
from headrace.errors import (
    HeadraceError,
    LakeUnavailable,
    ModelError,
    ModelUntrusted,
    TransportError,
)
from headrace.lake.store import LocalStore
from headrace.models.client import ModelRepositoryClient
from headrace.models.manifest import File, encode, file_of
from headrace.models.repository import model_path
from headrace.models.sources import FolderSource, HttpSource, StoreSource
from tests.graphs import good, scaled
from tests.model_repository import Repository, packed
from tests.servers.faulty_folder import Fault, FaultyFolder, serve_folder

DAY_S = 86_400

Errors = type[HeadraceError] | tuple[type[HeadraceError], ...]
#: A short file is either seen as such on the line, or by its hash.
CUT = (ModelUntrusted, TransportError)


class Site:
    """A client over HTTP, and its publisher."""

    def __init__(
        self, folder: Path, served: FaultyFolder, publisher: Repository, clock: ManualClock
    ) -> None:
        self.folder = folder
        self.served = served
        self.publisher = publisher
        self.clock = clock
        self.client = self.restarted()

    def restarted(self, timeout_s: float = 5.0) -> ModelRepositoryClient:
        return ModelRepositoryClient(
            folder=self.folder,
            source=HttpSource(self.served.url, timeout_s=timeout_s),
            trusted_root=self.publisher.root.read_bytes(),
            clock=self.clock,
        )

    def refused(self, error: Errors, match: str, act: Callable[[], object]) -> None:
        """``act`` fails with these words, and version 1 is still what runs and what is on disk."""
        with pytest.raises(error, match=match):
            act()
        for client in (self.client, self.restarted()):
            known = client.assignments()
            assert known is not None
            assert known.wanted({}) == {"m": 1}
            assert (client.fetch("m", 1) / "model.onnx").read_bytes() == good()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Version 1 runs everywhere, and the site has it."""
    clock = ManualClock()
    publisher = Repository(tmp_path, clock)
    publisher.publish(packed(good()), to="all")
    with serve_folder(publisher.folder) as served:
        site = Site(tmp_path / "site", served, publisher, clock)
        assert site.client.refresh().wanted({}) == {"m": 1}
        site.client.fetch("m", 1)
        yield site


def test_a_promoted_version_arrives_and_a_revoked_one_makes_way(site: Site) -> None:
    """The way that everything else here is a departure from."""
    site.publisher.publish(packed(scaled(2.0), scores=(4.0, 6.0)), to="canary")
    assignments = site.client.refresh()
    assert assignments.wanted({"ring": "canary"}) == {"m": 2}
    assert assignments.wanted({}) == {"m": 1}
    assert site.client.manifest("m", 2).version == 2
    site.publisher.releases.revoke("m", 2, "for the test")
    assert site.client.refresh().wanted({"ring": "canary"}) == {"m": 1}
    with pytest.raises(ModelError, match="revoked"):
        site.client.fetch("m", 2)


def test_the_mirror_serves_others_as_the_repository_does(site: Site, tmp_path: Path) -> None:
    """An agent behind the gateway verifies with the same root, and the publisher is not asked."""
    site.served.folder = site.client.mirror
    behind = ModelRepositoryClient(
        folder=tmp_path / "agent",
        source=HttpSource(site.served.url),
        trusted_root=site.publisher.root.read_bytes(),
        clock=site.clock,
    )
    assert behind.refresh().wanted({}) == {"m": 1}
    assert (behind.fetch("m", 1) / "model.onnx").read_bytes() == good()


def test_a_site_off_line_goes_on_with_what_it_has(site: Site) -> None:
    """The repository is away; assignments and fetched models are not."""
    site.served.faults["timestamp.json"] = "error"
    site.refused(TransportError, "status 200, got 500", site.client.refresh)


def test_a_timestamp_signed_with_other_keys_is_refused(site: Site, tmp_path: Path) -> None:
    """Somebody who can write to the store, but has not the keys."""
    forger = Repository(tmp_path / "forger", site.clock)
    for _ in range(4):
        forger.publish(packed(scaled(9.0), scores=(18.0, 27.0)), to="all")
    shutil.copytree(forger.folder, site.publisher.folder, dirs_exist_ok=True)
    site.refused(ModelUntrusted, "signed by", site.client.refresh)


@pytest.mark.parametrize("role", ["targets", "snapshot"])
def test_metadata_changed_after_signing_is_refused(site: Site, role: str) -> None:
    """One digit of a signed file."""
    site.publisher.publish(packed(good()), to="all")
    newest = max(
        (site.publisher.folder / "metadata").glob(f"*.{role}.json"),
        key=lambda path: int(path.name.partition(".")[0]),
    )
    later = re.sub(rb'("expires": ?")20', rb"\g<1>21", newest.read_bytes())
    newest.write_bytes(later)
    site.refused(ModelUntrusted, "signed by|signature", site.client.refresh)


def test_an_older_state_that_is_offered_again_is_refused(site: Site, tmp_path: Path) -> None:
    """A rollback: everything in it is signed, and was true once."""
    shutil.copytree(site.publisher.folder, tmp_path / "old")
    site.publisher.publish(packed(good()))
    site.client.refresh()
    site.served.folder = tmp_path / "old"
    site.refused(ModelUntrusted, "older state", site.client.refresh)


def test_expired_metadata_stays_expired_when_the_clock_is_set_back(site: Site) -> None:
    """Until the publisher signs again; whoever holds the old state cannot bring it back to life."""
    site.clock.advance(200 * DAY_S)
    site.refused(ModelUntrusted, "expired", site.client.refresh)
    site.clock.step_wall(-200 * DAY_S)
    site.client = site.restarted()
    site.refused(ModelUntrusted, "expired", site.client.refresh)
    site.clock.step_wall(200 * DAY_S)
    site.publisher.releases.refresh()
    site.clock.step_wall(-200 * DAY_S)
    assert site.client.refresh().wanted({}) == {"m": 1}


def test_a_clock_that_was_years_ahead_does_not_shut_a_site_out(site: Site) -> None:
    """The floor never rises above an expiry that was signed, so a new signature is accepted."""
    site.clock.step_wall(9_000 * DAY_S)
    site.refused(ModelUntrusted, "expired", site.client.refresh)
    site.clock.step_wall(-9_000 * DAY_S)
    site.clock.step_wall(10 * DAY_S)
    site.publisher.releases.renew()
    assert site.client.refresh().wanted({}) == {"m": 1}


def test_a_clock_without_a_battery_does_not_stop_updates(site: Site) -> None:
    """A Pi that boots in 1970 takes what is newer than what it has."""
    site.publisher.publish(packed(good()), to="all")
    site.clock.step_wall(-site.clock.now_us() / 1e6)
    assert site.client.refresh().wanted({}) == {"m": 2}


@pytest.mark.parametrize("file", ["timestamp.json", ".targets.json", ".assignments.json"])
def test_truncated_metadata_changes_nothing(site: Site, file: str) -> None:
    """The connection closes half way; the next refresh goes through."""
    site.publisher.publish(packed(good()), to="all")
    site.served.faults[file] = "truncated"
    site.refused(CUT, "model repository", site.client.refresh)
    site.served.faults.clear()
    assert site.client.refresh().wanted({}) == {"m": 2}


@pytest.mark.parametrize("file", ["model.onnx", "manifest.json", "golden.json"])
@pytest.mark.parametrize("fault", ["truncated", "endless"])
def test_a_download_of_a_model_that_is_cut_or_never_ends(
    site: Site, file: str, fault: Fault
) -> None:
    """Refused after as many bytes as were signed for; the next attempt gets the file."""
    site.publisher.publish(packed(scaled(2.0), scores=(4.0, 6.0)), to="canary")
    site.client.refresh()
    site.served.faults[file] = fault
    site.served.sent = 0
    site.refused(CUT, "model repository", lambda: site.client.fetch("m", 2))
    assert (site.folder / "models" / "m" / "2").exists() is False
    site.served.faults.clear()
    assert (site.client.fetch("m", 2) / "model.onnx").read_bytes() == scaled(2.0)


def test_an_endless_timestamp_is_cut_off(site: Site) -> None:
    """Of what has no signed length yet, 16 kB are read."""
    site.served.faults["timestamp.json"] = "endless"
    site.refused(ModelUntrusted, "exceeding", site.client.refresh)


@pytest.mark.parametrize("fault", ["stalled", "trickle"])
def test_a_download_that_does_not_get_on_ends_at_its_deadline(site: Site, fault: Fault) -> None:
    """A server that sends nothing more, or a byte now and then, so that no read ever times out."""
    site.served.faults["timestamp.json"] = fault
    client = site.restarted(timeout_s=0.3)
    site.refused(TransportError, "model repository", client.refresh)


def _lie(site: Site, change: Callable[[Package], dict[str, bytes]]) -> None:
    """Publish and promote version 2 with files that do not belong together, signed all the same."""
    made = packed(good(), version=2)
    contents = {
        "model.onnx": made.graph,
        "golden.json": made.golden,
        "manifest.json": encode(made.manifest),
    }
    contents |= change(made)
    releases = site.publisher.releases
    editor = Editor(LocalStore(site.publisher.folder), site.clock)
    state = editor.reader.read(site.publisher.root.read_bytes())
    signed = {model_path("m", 2, name): data for name, data in contents.items()}
    editor.publish(state, releases.signers, signed)
    site.client.refresh()


def _with(made: Package, **changes: object) -> dict[str, bytes]:
    return {"manifest.json": encode(msgspec.structs.replace(made.manifest, **changes))}


def _pickled(made: Package) -> dict[str, bytes]:
    data = pickle.dumps({"model": [1.0]})
    return {"model.onnx": data, **_with(made, graph=file_of("model.onnx", data))}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda made: _with(made, graph=File("model.onnx", "0" * 64, 5)), "the manifest lies"),
        (lambda made: _with(made, version=7), "the manifest lies: it says m 7"),
        (lambda made: _with(made, name="other"), "the manifest lies: it says other 2"),
        (lambda made: _with(made, runtime="litert"), "goes with model.tflite"),
        (lambda made: _with(made, features=made.manifest.features[:1]), "rows of 1 features"),
        (lambda made: _with(made, features=made.manifest.features[:1] * 2), "twice"),
        (lambda made: {"manifest.json": b"{}"}, "not a model's manifest"),
        (lambda made: {"manifest.json": b"\x80\x04."}, "not a model's manifest"),
        (_pickled, "is a pickle"),
    ],
)  # fmt: skip
def test_a_manifest_that_lies_is_refused_though_it_is_signed(
    site: Site, change: Callable[[Package], dict[str, bytes]], words: str
) -> None:
    """Signatures say who, not whether it is right."""
    _lie(site, change)
    site.refused(ModelError, words, lambda: site.client.fetch("m", 2))


@pytest.mark.parametrize("data", [b"", b"{}", b"\x80\x04."])
def test_a_damaged_trust_root_is_said_at_the_start(tmp_path: Path, data: bytes) -> None:
    """Not as a forged repository at the first refresh."""
    with pytest.raises(ModelError, match="trust root: damaged"):
        ModelRepositoryClient(folder=tmp_path, source=FolderSource(tmp_path), trusted_root=data)


def test_a_version_that_was_never_published_is_said_to_be_missing(site: Site) -> None:
    """And where to look."""
    site.refused(ModelError, "no models/m/9/manifest.json", lambda: site.client.fetch("m", 9))


def test_a_file_that_was_damaged_on_this_disk_is_put_right(site: Site) -> None:
    """The mirror has it; off line too."""
    folder = site.client.fetch("m", 1)
    (folder / "model.onnx").write_bytes(b"rot")
    site.served.faults[""] = "error"
    assert (site.client.fetch("m", 1) / "model.onnx").read_bytes() == good()


def test_what_is_left_of_a_publication_that_was_cut_off_is_in_nobodys_way(site: Site) -> None:
    """A crash behind new targets and before the timestamp: readers see the old state, the next one works."""
    timestamp = site.publisher.folder / "metadata" / "timestamp.json"
    before = timestamp.read_bytes()
    site.publisher.publish(packed(scaled(3.0), scores=(6.0, 9.0)))
    timestamp.write_bytes(before)
    assert site.client.refresh().wanted({}) == {"m": 1}
    assert site.publisher.publish(packed(good()), to="all") == 2
    assert site.client.refresh().wanted({}) == {"m": 2}
    assert (site.client.fetch("m", 2) / "model.onnx").read_bytes() == good()


class CutStore(LocalStore):
    """A store whose connection breaks at the n-th write."""

    def __init__(self, root: Path, writes: int) -> None:
        super().__init__(root)
        self.writes = writes

    def _put(self, path: str, data: bytes) -> None:
        self._count()
        super()._put(path, data)

    def _create(self, path: str, data: bytes) -> bool:
        self._count()
        return super()._create(path, data)

    def _count(self) -> None:
        self.writes -= 1
        if self.writes < 0:
            raise ConnectionResetError("cut")


@pytest.mark.parametrize("writes", range(6))
def test_a_publication_cut_off_anywhere_is_not_there_and_can_be_repeated(
    site: Site, writes: int
) -> None:
    """Three files, targets, snapshot, timestamp: readers see nothing before the last of them."""
    releases = site.publisher.releases
    cut = Releases(
        CutStore(site.publisher.folder, writes),
        trusted_root=site.publisher.root.read_bytes(),
        signers=releases.signers,
        clock=site.clock,
    )
    new = packed(scaled(2.0), scores=(4.0, 6.0))
    with pytest.raises(LakeUnavailable, match="cut"):
        cut.publish(new)
    assert site.client.refresh().wanted({}) == {"m": 1}
    with pytest.raises(ModelError, match="no models/m/2"):
        site.client.fetch("m", 2)
    assert site.publisher.publish(new, to="all") == 2
    assert site.client.refresh().wanted({}) == {"m": 2}
    assert (site.client.fetch("m", 2) / "model.onnx").read_bytes() == scaled(2.0)


def test_a_reader_in_the_middle_of_publications_sees_whole_states_only(site: Site) -> None:
    """Ten promotions while refreshes go on without a pause: each succeeds, serials only rise."""
    done = threading.Event()
    serials: list[int] = []

    def read() -> None:
        while not done.is_set():
            serials.append(site.client.refresh().serial)

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read)
        for _ in range(10):
            site.publisher.releases.promote("m", 1, "all")
        done.set()
        reading.result()
    assert site.client.refresh().serial == 11
    assert serials == sorted(serials)


def test_the_publisher_does_not_sign_on_top_of_an_older_state(site: Site, tmp_path: Path) -> None:
    """It was signed once, but between then and now a version was revoked."""
    root = site.publisher.root.read_bytes()
    seen = Seen(tmp_path / "keys")
    releases = Releases(
        LocalStore(site.publisher.folder),
        trusted_root=root, signers=site.publisher.releases.signers, clock=site.clock, seen=seen,
    )  # fmt: skip
    timestamp = site.publisher.folder / "metadata" / "timestamp.json"
    before = timestamp.read_bytes()
    releases.revoke("m", 1, "for the test")
    timestamp.write_bytes(before)
    with pytest.raises(ModelUntrusted, match=r"is at state \d, and was at \d before"):
        releases.promote("m", 1, "all")


def test_the_publisher_does_not_sign_what_somebody_else_put_there(
    site: Site, tmp_path: Path
) -> None:
    """Or whoever can write to the store would get a signature by waiting."""
    forger = Repository(tmp_path / "forger", site.clock)
    forger.publish(packed(good(), name="evil"), to="all")
    shutil.copytree(forger.folder, site.publisher.folder, dirs_exist_ok=True)
    with pytest.raises(ModelUntrusted, match="signed by"):
        site.publisher.publish(packed(good()))


def test_a_folder_and_an_object_store_are_read_like_a_web_server(
    site: Site, tmp_path: Path
) -> None:
    """The three sources, one repository."""
    for name, source in {
        "folder": FolderSource(site.publisher.folder),
        "store": StoreSource(LocalStore(site.publisher.folder.parent), site.publisher.folder.name),
    }.items():
        client = ModelRepositoryClient(
            folder=tmp_path / name,
            source=source,
            trusted_root=site.publisher.root.read_bytes(),
            clock=site.clock,
        )
        assert client.refresh().wanted({}) == {"m": 1}
        assert (client.fetch("m", 1) / "model.onnx").read_bytes() == good()
    with pytest.raises(TransportError, match="no such folder"):
        ModelRepositoryClient(
            folder=tmp_path / "none",
            source=FolderSource(tmp_path / "unplugged"),
            trusted_root=site.publisher.root.read_bytes(),
        ).refresh()
