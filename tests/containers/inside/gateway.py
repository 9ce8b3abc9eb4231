"""Run by the gateway image's python: uses of each library from which files were taken."""

import io
import sqlite3
import ssl
import sys
import zoneinfo
from datetime import datetime
from pathlib import Path

import apprise
import cbor2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import zstandard
from amqtt.broker import Broker
from influxdb_client.client.influxdb_client import InfluxDBClient
from nicegui import ui
from tuf.ngclient import Updater

from gateway.inference.config import SHIPPED_MODELS
from headrace.cards import read_card
from headrace.models.run import open_run
from headrace.models.runtime import LiteRtScorer

assert all((Broker, InfluxDBClient, Updater, ui.echart, ui.table))

table = pa.table({"name": ["a", "b", "a"], "value": [1.0, 2.0, 3.0]})
assert pc.sum(table["value"]).as_py() == 6.0
assert table.group_by("name").aggregate([("value", "sum")]).num_rows == 2
assert table.filter(pc.field("value") > 1.5).num_rows == 2
sink = io.BytesIO()
with pa.ipc.new_stream(sink, table.schema) as writer:
    writer.write_table(table)
packed = zstandard.compress(sink.getvalue())
assert pa.ipc.open_stream(zstandard.decompress(packed)).read_all() == table

pq.write_table(table, "/tmp/readings.parquet", compression="zstd")
assert pq.ParquetFile("/tmp/readings.parquet").read() == table

card = read_card(SHIPPED_MODELS / "pump")
scorer = LiteRtScorer(card, (SHIPPED_MODELS / "pump" / "model.tflite").read_bytes())
assert np.isfinite(scorer.score(np.ones((5, len(card.feature_names))))).all()
run = open_run(Path(sys.argv[1]), call_timeout_s=60)
assert list(run.score(np.array([[1.0, 2.0], [3.0, 4.0]]).tobytes())) == [1.5, 3.5]
run.close()

assert apprise.Apprise().add("mailto://user:password@example.com")
assert len(apprise.Apprise().details()["schemas"]) > 100
assert cbor2.loads(cbor2.dumps({"n": "a"})) == {"n": "a"}
assert sqlite3.connect(":memory:").execute("SELECT 1").fetchone() == (1,)
assert ssl.create_default_context().get_ca_certs()
assert datetime(2026, 7, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")).utcoffset().seconds == 7200
print("arrow", pa.__version__, "sqlite", sqlite3.sqlite_version)
