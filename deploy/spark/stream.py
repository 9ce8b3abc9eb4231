"""A Kafka topic into the table headrace.readings, as one Spark Structured Streaming query.

::

    spark-submit stream.py --config cloud_sync.toml --brokers kafka:9092 --topic headrace.readings --checkpoint DIR

    topic ─► messages ─► known ones left out ─► decoded and written, by the executors ─► one commit, by the driver

Messages are those of the gateway's Kafka sink (encoding ``arrow``, or any other format of the wire): a batch each,
named by headers. Executors decode them with the code of landing and put Parquet files like those of a
landing; the driver adds a micro-batch's files to the table and sets ``headrace.stream.<name>`` to its id, in one
commit. Spark may run a micro-batch again, with the same id and the same offsets; one that the table names as done
is skipped, and files that were not committed are replaced under their own names. So each message of the topic
is in the table once. One that the gateway has sent twice is known by (device, stream, first_seq, rows) for ``--repeats``.

What does not decode is put below ``quarantine/stream=<name>/``, with times that cannot be right below ``odd/``.
A site's readings come this way or by landing, not by both.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import click
import pyarrow as pa
from pyspark import TaskContext
from pyspark.sql import DataFrame, SparkSession, functions

from cloud_sync import config as configuration
from cloud_sync.lake.table import IcebergReadings
from cloud_sync.stream.messages import STREAMED, Files, put_all
from headrace.commands import reports_errors
from headrace.errors import LakeUnavailable, UsageError
from headrace.lake.catalogue import load_readings, open_catalogue
from headrace.lake.config import Lake
from headrace.lake.opening import open_store

IDENTITY: Final = ("site", "device", "stream", "first_seq", "rows")
SETTINGS: Final = {
    "spark.sql.session.timeZone": "UTC",
    "spark.ui.enabled": "false",
    # Two attempts of one task would write one name.
    "spark.speculation": "false",
}
_WRITTEN: Final = "kind string, uri string, rows bigint"


def messages(frame: DataFrame) -> DataFrame:
    """Kafka's rows with the headers that name a message as columns."""
    named = functions.map_from_entries("headers")
    columns = [
        functions.element_at(named, f"headrace.{name}").cast("string").alias(name)
        for name in (*IDENTITY, "encoding")
    ]
    return frame.select("value", "timestamp", *columns)


def without_repeats(frame: DataFrame, within: str) -> DataFrame:
    """Without messages that came before; what is remembered is a few names per message."""
    return frame.withWatermark("timestamp", within).dropDuplicatesWithinWatermark(list(IDENTITY))


class Writer:
    """Puts the messages of a task as files; runs in the executors."""

    def __init__(self, lake: Lake, name: str, batch: int) -> None:
        self._lake = lake
        self._place = f"stream={name}/{batch:020d}"

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        task = TaskContext.get()
        files = Files(open_store(self._lake), self._place, task.partitionId() if task else 0)
        for put in put_all(files, (each for batch in batches for each in batch.to_pylist())):
            columns = {"kind": [put.kind], "uri": [put.uri], "rows": [put.rows]}
            yield pa.RecordBatch.from_pydict(columns)


class Committer:
    """A micro-batch into the table, once; runs in the driver."""

    def __init__(
        self, lake: Lake, name: str, tell: Callable[[int, int], None] = lambda batch, rows: None
    ) -> None:
        self._lake = lake
        self._name = name
        self._key = f"headrace.stream.{name}"
        self._tell = tell

    def __call__(self, frame: DataFrame, batch: int) -> None:
        query = uuid.UUID(
            frame.sparkSession.sparkContext.getLocalProperty("sql.streaming.queryId")
        ).int
        if self._done(query) >= batch:
            return
        written = frame.mapInArrow(Writer(self._lake, self._name, batch), _WRITTEN).collect()
        files = [row.uri for row in written if row.kind == STREAMED]
        self._commit(files, batch, query)
        self._tell(batch, sum(row.rows for row in written))

    def _done(self, query: int) -> int:
        """The last micro-batch that is in the table; -1 before the first.

        Raises:
            UsageError: they are another checkpoint's, and this one would bring everything again.
        """
        table = load_readings(open_catalogue(self._lake))
        properties = {} if table is None else table.properties
        if properties.get(f"{self._key}.query", str(query)) != str(query):
            raise UsageError(
                f"the table has micro-batches of the name {self._name!r} from another checkpoint",
                hint="put the checkpoint back, or take another --name where nothing can be there twice",
            )
        return int(properties.get(self._key, -1))

    def _commit(self, files: list[str], batch: int, query: int) -> None:
        table = IcebergReadings(self._lake)
        table.watermarks()
        try:
            table.add(files, {self._key: batch, f"{self._key}.query": query})
        except LakeUnavailable:
            if self._done(query) < batch:
                raise  # Spark runs the micro-batch again


def source(session: SparkSession, kind: str, options: dict[str, str]) -> DataFrame:
    """The stream of Kafka's rows."""
    if kind == "python":
        from kafka_source import KafkaSource

        session.dataSource.register(KafkaSource)
        return session.readStream.format(KafkaSource.name()).options(**options).load()
    if kind == "files":
        from kafka_source import SCHEMA

        return session.readStream.schema(SCHEMA).parquet(options["path"])
    kafka = {f"kafka.{key}": value for key, value in options.items() if key.startswith("client.")}
    return session.readStream.format("kafka").options(**kafka).options(
        subscribe=options["topic"], includeHeaders="true", startingOffsets="earliest",
        **{"kafka.bootstrap.servers": options["brokers"]},
    ).load()  # fmt: skip


@click.command()
@click.option(
    "--config",
    "path",
    required=True,
    type=click.Path(path_type=Path),
    help="cloud_sync.toml: the lake.",
)
@click.option("--brokers", default="", help="Kafka's bootstrap servers.")
@click.option("--topic", default="headrace.readings", show_default=True)
@click.option(
    "--source",
    "kind",
    type=click.Choice(["kafka", "python", "files"]),
    default="kafka",
    show_default=True,
    help="Spark's connector, kafka_source.py, or a folder of Parquet files of Kafka's rows.",
)
@click.option("--path", "folder", default="", help="The folder, with --source files.")
@click.option(
    "--checkpoint", required=True, help="Where Spark keeps offsets; for life, like --name."
)
@click.option(
    "--name", default="kafka", show_default=True, help="Of this query, in the table's properties."
)
@click.option(
    "--repeats",
    default="10 minutes",
    show_default=True,
    help="For how long a message is known again.",
)
@click.option("--every", default="1 minute", show_default=True, help="A commit in so much time.")
@click.option("--once", is_flag=True, help="Take what is there now, then end.")
@reports_errors
def main(
    path: Path, brokers: str, topic: str, kind: str, folder: str, checkpoint: str, name: str,
    repeats: str, every: str, once: bool,
) -> None:  # fmt: skip
    """Bring a topic into the lake until it is stopped.

    \b
    Example:
      spark-submit stream.py --config cloud_sync.toml --brokers kafka:9092 --checkpoint hdfs:///headrace/stream
    """
    lake = configuration.load(path).lake
    builder = SparkSession.builder.appName(f"headrace-stream-{name}")
    for key, value in SETTINGS.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    rows = source(session, kind, {"brokers": brokers, "topic": topic, "path": folder})
    run(session, rows, Committer(lake, name, _say), checkpoint, repeats, None if once else every)


def run(
    session: SparkSession, rows: DataFrame, committer: Committer, checkpoint: str, repeats: str,
    every: str | None,
) -> None:  # fmt: skip
    """Run the query until it ends."""
    trigger = {"availableNow": True} if every is None else {"processingTime": every}
    query = (
        without_repeats(messages(rows), repeats)
        .writeStream.foreachBatch(committer)
        .option("checkpointLocation", checkpoint)
        .trigger(**trigger)
        .start()
    )
    query.awaitTermination()


def _say(batch: int, rows: int) -> None:
    click.echo(f"batch {batch}: {rows} readings")


if __name__ == "__main__":
    sys.exit(main())
