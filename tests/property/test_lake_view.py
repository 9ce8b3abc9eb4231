"""The view for any history: each reading exactly once, wherever it has got to."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud_sync.landing.parquet import DAY_US
from headrace.journal import JournalReader
from tests import lakes
from tests.journals import START_US, Journal, readings
from tests.lakes import Identity, assert_each_once, identities, journalled, pipeline

ACTS = st.sampled_from(["append", "append", "append two days", "land", "register", "prune"])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ACTS, min_size=1, max_size=9), st.sampled_from([1, 7, 25]))
def test_each_reading_is_seen_once_for_any_history(acts: list[str], max_rows: int) -> None:
    """Whatever part is registered, landed, or in the journal, pruned or not yet."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = lakes.settings(folder, max_rows=max_rows)
        journal = Journal(config.journal.path)
        path = pipeline(config)
        expected: set[Identity] = set()
        for number, act in enumerate(acts):
            _act(act, number, journal, path)
            expected |= journalled(config.journal.path)
        assert_each_once(identities(config.lake, config.journal.path), expected)
        journal.close()


def _act(act: str, number: int, journal: Journal, path: lakes.Pipeline) -> None:
    match act:
        case "append":
            journal.append(f"pump-{number % 2}", readings(5, seed=number))
        case "append two days":
            wide = readings(6, series=1, start_us=START_US, step_us=DAY_US // 3)
            journal.append("pump-0", wide)
        case "land":
            path.land()
        case "register":
            path.register()
        case "prune":
            with JournalReader(journal.path) as reader:
                journal.prune(reader.cursor("lake"))
