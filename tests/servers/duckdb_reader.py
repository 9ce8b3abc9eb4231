"""DuckDB with its own Iceberg extension, as somebody else would use it: another version, another process.

The extensions that the package index has are for DuckDB 1.5.5; `make test` puts it into a folder of its own
beside the virtual environment's packages (``duckdb-iceberg``).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

FOLDER = Path(sys.prefix) / "duckdb-iceberg"

_SCRIPT = """
import json, sys, duckdb
db = duckdb.connect()
for name in ("avro", "httpfs", "iceberg"):
    module = __import__(f"duckdb_extension_{name}")
    path = f"{module.__path__[0]}/extensions/v{duckdb.__version__}/{name}.duckdb_extension"
    db.execute(f"LOAD '{path}'")
for statement in json.load(sys.stdin):
    rows = db.execute(statement).fetchall()
print(json.dumps(rows, default=str))
"""


def is_there() -> bool:
    """Whether it is installed."""
    return (FOLDER / "duckdb").is_dir()


def ask(statements: Sequence[str]) -> list[list[object]]:
    """Rows of the last statement, in a process without a line of Headrace."""
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT], input=json.dumps(statements), capture_output=True, text=True,
        check=False, env={**os.environ, "PYTHONPATH": str(FOLDER)}, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return list(json.loads(done.stdout))
