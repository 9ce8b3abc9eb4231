"""What a power cut must find on the disk of a local lake."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.journals import Journal, readings


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_every_file_of_a_registration_is_fsynced_before_the_catalogue_names_it(
    tmp_path: Path,
) -> None:
    """Parquet, manifests and Iceberg metadata, by what the kernel was asked for."""
    journal = Journal(tmp_path / "gateway" / "journal.db")
    journal.append("pump-1", readings(100))
    journal.close()
    trace = tmp_path / "trace"
    subprocess.run(
        ["strace", "-f", "-y", "-e", "trace=openat,fsync,fdatasync", "-o", trace,
         sys.executable, "-m", "cloud_sync", "once", "--data", tmp_path],
        check=True, capture_output=True,
    )  # fmt: skip
    text = trace.read_text(errors="replace")
    synced = set(re.findall(r"f(?:data)?sync\(\d+<([^>]+)>", text))
    lake = tmp_path / "lake"
    files = [path for path in lake.rglob("*") if path.is_file() and path.name != "catalogue.db"]
    assert {path.suffix for path in files} >= {".parquet", ".json", ".avro"}
    for path in files:
        # Landed files are written under a temporary name and renamed or linked.
        temporary = any(name.startswith(f"{path.parent}/.{path.name}") for name in synced)
        assert str(path) in synced or temporary, path
        assert str(path.parent) in synced, path.parent
