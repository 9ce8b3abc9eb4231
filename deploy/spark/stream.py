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

import io
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import click
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark import TaskContext
from pyspark.sql import DataFrame, SparkSession, functions

from cloud_sync import config as configuration
from cloud_sync.lake.table import IcebergReadings
from cloud_sync.landing.parquet import apart, encode_days, encode_odd
from headrace.batch import is_device_id
from headrace.commands import reports_errors
from headrace.errors import LakeUnavailable, StorageCorrupt, UsageError
from headrace.journal import JournalRow
from headrace.lake.catalogue import load_readings, open_catalogue
from headrace.lake.config import Lake
from headrace.lake.opening import open_store
from headrace.lake.readings import to_table
from headrace.lake.store import Store
from headrace.limits.lake import LANDING_MAX_ROWS

IDENTITY: Final = ("site", "device", "stream", "first_seq", "rows")
SETTINGS: Final = {
    "spark.sql.session.timeZone": "UTC",
    "spark.ui.enabled": "false",
    # Two attempts of one task would write one name.
    "spark.speculation": "false",
}
#: Where the files of the table are put.
STREAMED: Final = "streamed"
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


class Message(NamedTuple):
    """A message as it came, its site, and the batch that it says to be."""

    raw: dict[str, Any]
    site: str
    row: JournalRow


class Writer:
    """Decodes the messages of a task and puts them as files; runs in the executors."""

    def __init__(self, lake: Lake, name: str, batch: int) -> None:
        self._lake = lake
        self._place = f"stream={name}/{batch:020d}"

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        task = TaskContext.get()
        files = _Files(open_store(self._lake), self._place, task.partitionId() if task else 0)
        waiting: list[Message] = []
        for raw in (each for batch in batches for each in batch.to_pylist()):
            try:
                waiting.append(_message(raw))
            except (TypeError, ValueError) as error:
                yield files.set_aside(raw, f"its headers do not name it: {error}")
                continue
            if sum(each.row.rows for each in waiting) >= LANDING_MAX_ROWS:
                yield from _put(files, waiting)
                waiting = []
        yield from _put(files, waiting)


class _Files:
    """What one task puts; names follow from micro-batch and task, so another attempt puts the same ones."""

    def __init__(self, store: Store, place: str, task: int) -> None:
        self._store = store
        self._place = place
        self._task = task
        self._number = 0

    def put(self, kind: str, data: Any, rows: int) -> pa.RecordBatch:
        """One file, and the row that tells the driver of it."""
        path = f"{kind}/{self._place}/{self._task:06d}-{self._number:06d}.parquet"
        self._number += 1
        self._store.put(path, data)
        told = {"kind": [kind], "uri": [self._store.uri(path)], "rows": [rows]}
        return pa.RecordBatch.from_pydict(told)

    def set_aside(self, raw: dict[str, Any], why: str) -> pa.RecordBatch:
        sink = io.BytesIO()
        pq.write_table(pa.Table.from_pylist([{**raw, "fault": why}]), sink)
        return self.put("quarantine", sink.getvalue(), 0)


def _put(files: _Files, waiting: list[Message]) -> Iterator[pa.RecordBatch]:
    for site in sorted({each.site for each in waiting}):
        mine = [each for each in waiting if each.site == site]
        try:
            whole = to_table(site, [each.row for each in mine])
        except StorageCorrupt:
            # One that does not decode must not cost the others.
            faults = {id(each): _fault(each) for each in mine}
            for each in mine:
                if faults[id(each)]:
                    yield files.set_aside(each.raw, faults[id(each)])
            whole = to_table(site, [each.row for each in mine if not faults[id(each)]])
        table, odd = apart(whole)
        for file in encode_days(table):
            yield files.put(STREAMED, file.data, file.rows)
        odd_file = encode_odd(odd)
        if odd_file is not None:
            yield files.put("odd", odd_file.data, odd_file.rows)


def _message(raw: dict[str, Any]) -> Message:
    first, rows = int(raw["first_seq"]), int(raw["rows"])
    received = round(raw["timestamp"].timestamp() * 1e6)
    texts = [raw[name] for name in ("site", "device", "stream", "encoding")]
    if None in texts:
        raise ValueError("one of site, device, stream, encoding is missing")
    if not (is_device_id(raw["site"]) and is_device_id(raw["device"])):
        raise ValueError("site or device is no id")
    row = JournalRow(
        0, received, raw["device"], raw["stream"], first, first + rows - 1, rows, raw["encoding"],
        raw["value"],
    )  # fmt: skip
    return Message(raw, raw["site"], row)


def _fault(message: Message) -> str:
    try:
        to_table(message.site, [message.row])
    except StorageCorrupt as error:
        return error.message
    return ""


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
