"""Run by the cloud-sync image's python: uses of each library from which files were taken."""

import boto3
import duckdb
import pyarrow as pa
import pyarrow.dataset
import pyarrow.fs
import pyarrow.parquet as pq
from everything import load_modules, use_numpy
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.catalog.sql import SqlCatalog
from rich.console import Console
from tuf.ngclient import Updater

import cloud_sync
import headrace

assert all((RestCatalog, SqlCatalog, Updater, Console, pyarrow.fs.S3FileSystem))
assert load_modules(cloud_sync, headrace, without={"edge_agent", "gateway", "paho"}) > 250
use_numpy(without={"f2py", "testing"})
for service in ("s3", "sts"):
    assert boto3.client(
        service, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )

table = pa.table({"name": ["a", "b"], "value": [1.0, 2.0]})
pq.write_table(table, "/tmp/readings.parquet", compression="zstd")
assert pyarrow.dataset.dataset("/tmp/readings.parquet").count_rows() == 2
found = duckdb.sql("SELECT sum(value) FROM read_parquet('/tmp/readings.parquet')").fetchall()
assert found == [(3.0,)]
print("arrow", pa.__version__, "duckdb", duckdb.__version__)
