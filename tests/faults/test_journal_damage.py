"""A journal file with damaged places: what was written around them reaches lake and consumers."""

import logging
from pathlib import Path

import pytest

from gateway.feed import Feed
from gateway.journal.retention import Retention
from headrace.errors import StorageCorrupt
from headrace.journal import JournalReader
from headrace.journal.schema import create
from headrace.lake.manifests import read_manifest, unregistered
from headrace.lake.opening import open_store
from tests.batches import payload
from tests.damage import flip, place_of, ruin_page, settle
from tests.devices import Device
from tests.journals import START_US, Journal, readings
from tests.lakes import identities, pipeline, settings
from tests.programs import make_gateway
from tests.servers import wait_until
from tests.servers.influxdb import influxdb


def damaged(folder: Path, batches: int = 60) -> Path:
    """A journal with a flipped payload at offset 20 and a ruined page around offset 40."""
    made = Journal(folder / "journal.db")
    for number in range(batches):
        made.append("pump-1", readings(300, start_us=START_US + number * 1_000_000, seed=number))
    made.close()
    settle(made.path)
    flip(made.path, place_of(made.path, 20))
    ruin_page(made.path, place_of(made.path, 40))
    return made.path


def sound_offsets(path: Path) -> list[int]:
    with JournalReader(path) as reader:
        rows = reader.read(0, max_rows=10**9, max_bytes=10**9)
        while more := reader.read(rows[-1].offset, max_rows=10**9, max_bytes=10**9):
            rows += more
    return [row.offset for row in rows if not row.damage]


def test_the_lake_gets_all_that_can_be_read_and_the_manifest_names_the_rest(tmp_path, caplog):
    """Landing does not stop at damage; what is lost is said in the log and in the manifest."""
    config = settings(tmp_path)
    damaged(config.journal.path.parent)
    steps = pipeline(config)
    with caplog.at_level(logging.ERROR):
        landed = steps.land()
    sound = sound_offsets(config.journal.path)
    assert landed == 300 * len(sound)
    assert len(sound) >= 50
    assert 20 in {record.offset for record in caplog.records}
    assert "pump-1 stream" in caplog.text
    assert steps.register() == landed
    found = identities(config.lake, None)
    assert sum(found.values()) == len(found) == landed
    store = open_store(config.lake)
    manifests = [read_manifest(store, name) for name in unregistered(store, {})]
    assert any("checksum" in each for manifest in manifests for each in manifest.damaged)
    with JournalReader(config.journal.path) as reader:
        assert reader.cursor("lake") == 60


def test_a_consumer_goes_on_behind_damage(tmp_path):
    """The feed gives damaged batches a place without readings, so that cursors move past them."""
    path = damaged(tmp_path)
    sound = sound_offsets(path)
    feed = Feed(path)
    feed.start_at(60)
    cursor, seen = 0, []
    while entries := feed.read(cursor, max_rows=5_000, timeout_s=0):
        seen += [entry.offset for entry in entries if entry.rows.num_rows]
        cursor = entries[-1].offset
    assert cursor == 60
    assert seen == sound


def test_a_flipped_byte_in_front_of_a_payload_is_damage_too(tmp_path):
    """No checksum is about it: the payload is sound and not what its row says."""
    config = settings(tmp_path)
    path = config.journal.path
    path.parent.mkdir(exist_ok=True)
    made = Journal(path)
    for number in range(9):
        made.append("pump-1", readings(30, start_us=START_US + number * 1_000_000, seed=number))
    made.db.execute("UPDATE batches SET rows = 31 WHERE offset = 3")
    made.db.execute("UPDATE batches SET format = 'line' WHERE offset = 5")
    made.close()
    feed = Feed(path)
    feed.start_at(9)
    entries = feed.read(0, max_rows=10**6, timeout_s=0)
    assert [entry.offset for entry in entries if not entry.rows.num_rows] == [3, 5]
    assert pipeline(config).land() == 7 * 30
    with JournalReader(path) as reader:
        assert reader.quarantine_reasons() == {"damaged": 2}
        assert reader.cursor("lake") == 9


def test_a_format_of_another_version_holds_landing_up_instead_of_being_lost(tmp_path):
    """Somebody has put an older cloud-sync beside a newer gateway."""
    config = settings(tmp_path)
    config.journal.path.parent.mkdir(exist_ok=True)
    made = Journal(config.journal.path)
    made.append("pump-1", readings(30))
    made.db.execute("UPDATE batches SET format = 'arrow-9'")
    made.close()
    with pytest.raises(StorageCorrupt, match="arrow-9"):
        pipeline(config).land()


def test_pruning_leaves_damage_alone_and_goes_on_behind_it(tmp_path):
    """A row on a bad page cannot be deleted; the others make room as ever."""
    path = damaged(tmp_path)
    feed = Feed(path)
    feed.start_at(60)
    cursor = 0
    while entries := feed.read(cursor, max_rows=10**6, timeout_s=0):
        cursor = entries[-1].offset
    db = create(path)
    db.execute("INSERT INTO cursors VALUES ('lake', 55, 1)")
    retention = Retention(max_bytes=1 << 30, hold_for=("lake",))
    for _ in range(10):
        retention.prune(db)
    db.close()
    assert [offset for offset in sound_offsets(path) if offset > 45] == list(range(56, 61))


def test_a_running_gateway_serves_around_damage_and_raises_the_alert(programs, tmp_path):
    """A sink gets all that can be read; the metric, the quarantine and an alert say what is lost."""
    data = tmp_path / "gateway"
    data.mkdir()
    path = damaged(data)
    sound = sound_offsets(path)
    with influxdb(tmp_path) as server:
        server.query("CREATE DATABASE one")
        sink = (
            f'[[sinks]]\nplugin = "influxdb"\napi = "v1"\nurl = "{server.url}"\ndatabase = "one"\n'
        )
        gateway = make_gateway(programs, data=data, extra=["[vitals]\ninterval_s = 1\n", sink])
        gateway.start()
        gateway.wait_ready()
        counted = (
            "SELECT count(value) FROM readings WHERE device = 'pump-1' AND \"name\" !~ /gateway/"
        )
        wait_until(
            lambda: server.query(counted, "one")[0][1] == 300 * len(sound), 30, "all that is sound"
        )
        wait_until(lambda: "builtin-damage" in firing(gateway), 20, "the alert fires")
        assert gateway.metric("headrace_gateway_damaged_batches") == 3
        device = Device("pump-2", gateway.mqtt_port)
        device.publish(payload("0123456789abcdef", 1, 100))
        device.wait_acked(100)
        device.close()
        assert gateway.program.stop() == 0
    assert "lost: pump-1 stream" in gateway.program.output()


def firing(gateway):
    return [each["rule"] for each in gateway.get("api/v1/alerts") if each["state"] == "firing"]
