"""Spark with Apache Iceberg, as somebody else would use it: another version, another process.

The package index has Iceberg's jar for Spark 3.5 alone, so that one is put into a folder of its own beside the
virtual environment's packages (``spark-iceberg``): tests/servers/install-spark.sh.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(sys.prefix) / "spark-iceberg"

_SCRIPT = """
import json, sys
from pyspark.sql import SparkSession
settings, metadata, statement = json.load(sys.stdin)
builder = SparkSession.builder.master("local[1]")
for key, value in settings.items():
    builder = builder.config(key, value)
session = builder.getOrCreate()
session.read.format("iceberg").load(metadata).createOrReplaceTempView("readings")
rows = [list(row) for row in session.sql(statement).collect()]
print(json.dumps(rows, default=str))
"""


def is_there() -> bool:
    """Whether it is installed, with a Java."""
    return (FOLDER / "site" / "pyspark").is_dir() and shutil.which("java") is not None


def ask(metadata: str, statement: str) -> list[list[object]]:
    """Rows of a statement over the view ``readings``, from nothing but a table's metadata file."""
    settings = {
        "spark.jars": ",".join(str(jar) for jar in sorted((FOLDER / "jars").glob("*.jar"))),
        "spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false", "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "1",
    }  # fmt: skip
    surroundings = {
        "PYTHONPATH": str(FOLDER / "site"), "PYSPARK_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_HOME": str(FOLDER / "site" / "pyspark"),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT], input=json.dumps([settings, metadata, statement]),
        capture_output=True, text=True, check=False, env=os.environ | surroundings, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return list(json.loads(done.stdout.splitlines()[-1]))
