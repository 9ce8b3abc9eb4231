"""A gateway's disk is lost, devices send again: the table has each reading once."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cloud_sync.lake import ledger as ledger_
from cloud_sync.lake.ledger import Ledger
from cloud_sync.pipeline import Pipeline
from headrace.lake.manifests import read_manifest, unregistered
from headrace.lake.opening import open_store
from headrace.lake.store import Store
from headrace.landing import Manifest, decode, encode
from headrace.resend import quarantine_path
from tests.lakes import pipeline, settings
from tests.sites import BATCH, Site, content, names, registered


class Bench:
    """A site, its cloud-sync and a local lake."""

    def __init__(self, folder: Path) -> None:
        self.site = Site(folder)
        self.config = settings(folder)
        self.store: Store = open_store(self.config.lake)
        self.cloud: Pipeline = pipeline(self.config)

    def manifests(self) -> list[Manifest]:
        return [read_manifest(self.store, name) for name in unregistered(self.store, {})]

    def names(self) -> list[tuple[str, str, int]]:
        return names(self.config.lake)

    def land(self) -> None:
        self.cloud.land()

    def register(self) -> int:
        return self.cloud.register()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_what_comes_again_through_a_new_journal_is_registered_once(bench: Bench) -> None:
    """Some batches come again whole, some are cut otherwise, some are new, another device sends on."""
    sent = bench.site.send("pump-1", 0, 30) | bench.site.send("pump-2", 0, 5)
    bench.land()
    bench.register()
    bench.site.lose_disk()
    sent |= bench.site.send("pump-1", 20, 20) | bench.site.send("pump-2", 5, 5)
    bench.land()
    assert bench.register() == 25 * BATCH - 10 * BATCH
    assert bench.names() == sorted(sent)
    assert bench.cloud._metrics.value("repeated_readings") == 10 * BATCH


def test_the_content_of_what_stays_is_untouched(bench: Bench) -> None:
    """Values, and all columns, of files that were written again."""
    bench.site.send("pump-1", 0, 3)
    bench.land()
    bench.register()
    bench.site.lose_disk()
    bench.site.send("pump-1", 2, 4)
    bench.land()
    bench.register()
    table = registered(bench.config.lake).sort_by("seq")
    expected = [number + at / 100 for number in range(6) for at in range(BATCH)]
    assert np.allclose(table["value"].to_numpy(), expected, atol=0)


def test_two_journals_in_one_commit_are_held_against_each_other(bench: Bench) -> None:
    """The registrar was away when the disk was lost."""
    sent = bench.site.send("pump-1", 0, 10)
    bench.land()
    bench.site.lose_disk()
    sent |= bench.site.send("pump-1", 5, 10)
    bench.land()
    assert bench.register() == len(sent)
    assert bench.names() == sorted(sent)


def test_disks_may_be_lost_again_and_again(bench: Bench) -> None:
    """Each journal is held against all before it."""
    sent = set()
    for first in (0, 3, 1, 4):
        sent |= bench.site.send("pump-1", first, 5)
        bench.land()
        bench.register()
        bench.site.lose_disk()
    assert bench.names() == sorted(sent)


def test_a_landing_that_cannot_be_registered_does_not_keep_its_repetition_out(
    bench: Bench,
) -> None:
    """The lost journal's last file is damaged: the device has sent it again, and that counts."""
    sent = bench.site.send("pump-1", 0, 4)
    bench.land()
    (manifest,) = bench.manifests()
    whole = {file.path: bench.store.get(file.path) for file in manifest.files}
    for path in whole:
        bench.store.put(path, b"")
    bench.register()
    bench.site.lose_disk()
    sent |= bench.site.send("pump-1", 0, 6)
    bench.land()
    bench.register()
    assert bench.names() == sorted(sent)
    assert bench.cloud.registrar.held, "the old journal waits, visibly"

    for path, data in whole.items():
        bench.store.put(path, data)
    bench.register()
    assert bench.names() == sorted(sent), "mended, it brings nothing that is there"
    assert not bench.cloud.registrar.held


@pytest.mark.parametrize("same_commit", [True, False])
def test_of_a_landing_that_was_given_up_what_is_missing_comes_again(
    bench: Bench, same_commit: bool
) -> None:
    """One day's file is damaged for good: its readings are taken from the repetition, the other day's not."""
    sent = bench.site.send("pump-1", 0, 4)
    bench.land()
    (manifest,) = bench.manifests()
    bench.store.put(manifest.files[1].path, b"")
    bench.store.put(quarantine_path(unregistered(bench.store, {})[0]), b"")
    bench.site.lose_disk()
    if not same_commit:
        assert bench.register() == 2 * BATCH
    bench.site.send("pump-1", 0, 4)
    bench.land()
    assert bench.register() == (4 if same_commit else 2) * BATCH
    assert bench.names() == sorted(sent)


def test_journals_of_other_sites_are_not_asked(tmp_path: Path) -> None:
    """A site is what is told apart; two with one device's stream are two."""
    for name in ("harbour", "quarry"):
        site = Site(tmp_path / name, name)
        site.send("pump-1", 0, 2)
        here = settings(tmp_path / name)
        pipeline(
            type(here)(journal=here.journal, lake=settings(tmp_path).lake, landing=here.landing)
        ).land()
    assert pipeline(settings(tmp_path)).register() == 4 * BATCH


def test_a_manifest_says_what_devices_have_numbered(bench: Bench) -> None:
    """Ranges per stream; nothing of what the gateway numbers itself."""
    bench.site.send("pump-1", 0, 3)
    bench.site.send("pump-1", 7, 1)
    bench.site.journal.append("mcu", content(0), stream="gw-0123456789abcdef")
    bench.land()
    (manifest,) = bench.manifests()
    assert manifest.seen is not None
    assert [(each.device, each.ranges) for each in manifest.seen] == [
        ("pump-1", ((1, 3 * BATCH), (7 * BATCH + 1, 8 * BATCH)))
    ]


def test_a_manifest_of_an_earlier_version_brings_what_it_brings(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """It does not say which readings: they are registered, and a repetition of them cannot be told."""
    bench.site.send("pump-1", 0, 2)
    bench.land()
    (manifest,) = bench.manifests()
    old = {**json.loads(encode(manifest))}
    del old["seen"]
    bench.store.put(manifest.path, json.dumps(old).encode())
    assert decode(bench.store.get(manifest.path) or b"", manifest.path).seen is None
    bench.register()
    bench.site.lose_disk()
    bench.site.send("pump-1", 1, 2)
    bench.land()
    assert bench.register() == 2 * BATCH
    assert "did not say which readings" in caplog.text


def test_a_page_takes_the_place_of_the_manifests_before_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every few manifests, also over restarts; the manifests below are not needed any more."""
    monkeypatch.setattr(ledger_, "LEDGER_EVERY_MANIFESTS", 3)
    sent = set()
    for number in range(7):
        sent |= bench.site.send("pump-1", number)
        bench.land()
        pipeline(bench.config).register()
    (page,) = bench.store.names("ledger/site=harbour")
    for manifest in bench.manifests()[:6]:
        bench.store.put(manifest.path, b"spoilt")
    bench.site.lose_disk()
    sent |= bench.site.send("pump-1", 0, 9)
    bench.land()
    bench.register()
    assert bench.names() == sorted(sent)
    assert b"pump-1" in (bench.store.get(page) or b"")


def test_a_spoilt_page_is_made_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """From all manifests."""
    monkeypatch.setattr(ledger_, "LEDGER_EVERY_MANIFESTS", 1)
    bench.site.send("pump-1", 0, 2)
    bench.land()
    bench.register()
    (page,) = bench.store.names("ledger/site=harbour")
    key, mark = ("harbour", page[-21:-5]), 2
    before = Ledger(bench.store).of(key, mark)
    bench.store.put(page, b'{"last": "many"}')
    assert Ledger(bench.store).of(key, mark) == before


def test_a_page_that_is_newer_than_the_table_counts_for_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older state of the table was put back: what was behind it is not there."""
    monkeypatch.setattr(ledger_, "LEDGER_EVERY_MANIFESTS", 1)
    for number in (0, 1):
        bench.site.send("pump-1", number)
        bench.land()
        bench.register()
    (page,) = bench.store.names("ledger/site=harbour")
    ledger = Ledger(bench.store)
    for mark in (2, 1):
        (ranges,) = ledger.of(("harbour", page[-21:-5]), mark).streams.values()
        assert ranges.pairs() == [(1, mark * BATCH)]


def test_streams_in_memory_are_bounded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit is read again."""
    monkeypatch.setattr(ledger_, "LEDGER_MAX_STREAMS", 3)
    keys = []
    for _ in range(3):
        for device in ("a", "b"):
            bench.site.send(device, 0)
        bench.land()
        bench.register()
        bench.site.lose_disk()
    keys = sorted({(each.site, each.journal) for each in bench.manifests()})
    ledger = Ledger(bench.store)
    for _ in range(2):
        for key in keys:
            assert len(ledger.of(key, 2).streams) == 2
            assert ledger._streams() <= 3
