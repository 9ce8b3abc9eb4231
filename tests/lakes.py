"""What tests ask of a lake: which readings are in it, through the same code as ``headrace query``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
from click.testing import CliRunner, Result

from cloud_sync import cli as cloud_sync_cli
from cloud_sync.config import CloudSync, Landing, for_data
from cloud_sync.pipeline import Parts, Pipeline, open_parts
from headrace import cli as headrace_cli
from headrace.journal import JournalReader
from headrace.lake.config import Lake
from headrace.metrics import Metrics
from headrace.query.engine import Engine
from headrace.query.sources import collect

Identity = tuple[str, str, int]


def settings(folder: Path, *, max_rows: int = 2_000_000) -> CloudSync:
    """A data folder's configuration with small landings."""
    whole = for_data(folder)
    return CloudSync(journal=whole.journal, lake=whole.lake, landing=Landing(max_rows=max_rows))


def pipeline(config: CloudSync, parts: Parts | None = None) -> Pipeline:
    return Pipeline(config, parts or open_parts(config), Metrics("cloud_sync"))


def ask(lake: Lake, journal: Path | None, sql: str) -> pa.Table:
    """One statement over everything."""
    with Engine(collect(lake, journal), lake) as engine:
        return engine.query(sql).read_all()


def identities(lake: Lake, journal: Path | None) -> Counter[Identity]:
    """How often each reading is seen."""
    table = ask(lake, journal, "SELECT device, stream, seq FROM readings").to_pydict()
    return Counter(zip(table["device"], table["stream"], table["seq"], strict=True))


def journalled(path: Path) -> set[Identity]:
    """Every reading that the journal still holds."""
    with JournalReader(path) as reader:
        rows = reader.read(0, max_rows=10**9, max_bytes=10**9)
    return {
        (row.device, row.stream, seq)
        for row in rows
        for seq in range(row.first_seq, row.last_seq + 1)
    }


def assert_each_once(found: Counter[Identity], expected: Iterable[Identity]) -> None:
    """0 lost, 0 doubled."""
    expected = set(expected)
    lost = expected - found.keys()
    doubled = [each for each, count in found.items() if count > 1]
    strange = found.keys() - expected
    assert (len(lost), len(doubled), len(strange)) == (0, 0, 0)


def cloud_sync(*words: object) -> Result:
    """The command, in this process."""
    return CliRunner().invoke(cloud_sync_cli.main, [str(word) for word in words])


def headrace(*words: object) -> Result:
    """The command, in this process."""
    return CliRunner().invoke(headrace_cli.main, [str(word) for word in words])
