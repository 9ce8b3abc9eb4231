"""Run by the gateway image's python: uses of each library from which files were taken."""

import io
import sqlite3
import ssl
import sys
import threading
import zoneinfo
from datetime import datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import apprise
import cbor2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import zstandard
from amqtt.broker import Broker
from everything import load_modules, use_numpy
from influxdb_client.client.influxdb_client import InfluxDBClient
from nicegui import ui
from tuf.ngclient import Updater

import gateway
import headrace
from gateway.inference.config import SHIPPED_MODELS
from gateway.sinks.influxdb.config import InfluxDBSettings
from gateway.sinks.influxdb.write import RenewedWriter
from headrace.cards import read_card
from headrace.models.run import open_run
from headrace.models.runtime import LiteRtScorer

assert all((Broker, InfluxDBClient, Updater, ui.echart, ui.label))

assert load_modules(gateway, headrace, without={"edge_agent", "cloud_sync"}) > 250
use_numpy(without={"f2py", "random", "testing"})

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


class InfluxDB(BaseHTTPRequestHandler):
    """Takes one write."""

    def do_POST(self) -> None:
        assert b"flow" in self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204 if self.path.startswith("/api/v2/write?") else 404)
        self.end_headers()


server = HTTPServer(("127.0.0.1", 0), InfluxDB)
threading.Thread(target=server.handle_request, daemon=True).start()
writer = RenewedWriter(
    InfluxDBSettings(url=f"http://127.0.0.1:{server.server_port}", bucket="iot", gzip=False)
)
assert writer.post(b"readings flow=1.5 1").status == 204
writer.close()

assert apprise.Apprise().add("mailto://user:password@example.com")
assert len(apprise.Apprise().details()["schemas"]) > 100
assert cbor2.loads(cbor2.dumps({"n": "a"})) == {"n": "a"}
assert sqlite3.connect(":memory:").execute("SELECT 1").fetchone() == (1,)
assert ssl.create_default_context().get_ca_certs()
assert datetime(2026, 7, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")).utcoffset().seconds == 7200
print("arrow", pa.__version__, "sqlite", sqlite3.sqlite_version)
