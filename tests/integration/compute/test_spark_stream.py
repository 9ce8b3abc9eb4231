"""A topic becomes readings on Spark, each once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headrace.codecs import arrow
from headrace.errors import LakeUnavailable
from headrace.lake.config import Lake
from tests import lakes
from tests.computed import FIRST_US
from tests.journals import STREAM, readings

pytest.importorskip("pyspark", reason="pyspark is not installed: make spark-test")
if shutil.which("java") is None:
    pytest.skip("there is no Java (Debian: default-jre-headless): make spark-test", allow_module_level=True)  # fmt: skip

pytestmark = pytest.mark.timeout(600)

DEPLOY = Path(__file__).parents[3] / "deploy" / "spark"


@pytest.fixture
def session(open_spark: Callable[..., Any]) -> Any:
    return open_spark(Lake())._session


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
