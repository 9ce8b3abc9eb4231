"""The view for any history: each reading exactly once, wherever it has got to, also while it moves."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud_sync.landing.parquet import DAY_US
from headrace.journal import JournalReader
from headrace.query import sources
from tests import lakes
from tests.journals import START_US, Journal, readings
from tests.lakes import Identity, assert_each_once, identities, journalled, pipeline

ACTS = st.sampled_from(["append", "append", "append two days", "land", "register", "prune"])
HISTORY = st.lists(ACTS, min_size=1, max_size=9)
MOVES = st.lists(st.sampled_from(["append", "land", "register", "prune"]), max_size=4)

relaxed = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Site:
    """A gateway and a cloud_sync in a folder, moved on act by act."""

    def __init__(self, folder: Path, max_rows: int) -> None:
        self.config = lakes.settings(folder, max_rows=max_rows)
        self.journal = Journal(self.config.journal.path)
        self.expected: set[Identity] = set()
        self._path = pipeline(self.config)
        self._number = 0

    def act(self, name: str) -> None:
        self._number += 1
        match name:
            case "append":
                self.journal.append(f"pump-{self._number % 2}", readings(5, seed=self._number))
            case "append two days":
                wide = readings(6, series=1, start_us=START_US, step_us=DAY_US // 3)
                self.journal.append("pump-0", wide)
            case "land":
                self._path.land()
            case "register":
                self._path.register()
            case "prune":
                with JournalReader(self.journal.path) as reader:
                    self.journal.prune(reader.cursor("lake"))
        self.expected |= journalled(self.journal.path)


@contextmanager
def site(max_rows: int) -> Iterator[Site]:
    with tempfile.TemporaryDirectory() as name:
        made = Site(Path(name), max_rows)
        try:
            yield made
        finally:
            made.journal.close()


@relaxed
@given(HISTORY, st.sampled_from([1, 7, 25]))
def test_each_reading_is_seen_once_for_any_history(acts: list[str], max_rows: int) -> None:
    """Whatever part is registered, landed, or in the journal, pruned or not yet."""
    with site(max_rows) as here:
        for act in acts:
            here.act(act)
        found = identities(here.config.lake, here.journal.path)
        assert_each_once(found, here.expected)


@relaxed
@given(HISTORY, st.lists(MOVES, min_size=4, max_size=4))
def test_each_reading_is_seen_once_while_it_moves(
    history: list[str], moves: list[list[str]]
) -> None:
    """Acts happen between the looks of one query: nothing that was there slips past, nothing doubles."""
    with site(7) as here, pytest.MonkeyPatch.context() as patch:
        for act in history:
            here.act(act)
        there_before = set(here.expected)
        pending = list(moves)

        def before(call: Callable[..., Any]) -> Callable[..., Any]:
            def look(*args: Any) -> Any:
                for act in pending.pop(0) if pending else ():
                    here.act(act)
                return call(*args)

            return look

        for name in ("load_readings", "unregistered", "_landed_files"):
            patch.setattr(sources, name, before(getattr(sources, name)))
        found = identities(here.config.lake, here.journal.path)
        assert max(found.values(), default=1) == 1
        assert there_before <= found.keys() <= here.expected
