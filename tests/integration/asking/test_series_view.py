"""The view ``series``: from the table that is kept and what came since, with the numbers of a full count."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cloud_sync.catalog.keeper import SeriesKeeper
from cloud_sync.config import Maintain, Register
from cloud_sync.landing.parquet import DAY_US
from cloud_sync.maintain.maintainer import Maintainer
from headrace.clock import ManualClock
from headrace.lake.catalogue import NAMESPACE, open_catalogue
from headrace.lake.opening import open_store
from headrace.metrics import Metrics
from headrace.query.ask import Questions
from headrace.query.config import Place
from tests import lakes
from tests.journals import START_US, Journal, batch, readings

MINUTE_US = 60_000_000


class Site:
    """A journal, a lake, what keeps its series, and who asks."""

    def __init__(self, folder: Path) -> None:
        self.config = lakes.settings(folder)
        self.clock = ManualClock(START_US + 40 * DAY_US)
        self.journal = Journal(self.config.journal.path)
        self.path = lakes.pipeline(self.config)
        self.restart()

    def restart(self) -> None:
        """Both the keeper and who asks know nothing of before."""
        self.keeper = SeriesKeeper(self.config, self.clock)
        self.questions = Questions(Place(self.config.lake, self.config.journal.path))

    def bring(self, device: str, rows: Any, **more: Any) -> None:
        self.journal.append(device, rows, **more)
        self.path.land()
        self.path.register()

    def ask(self, where: str = "true") -> list[dict[str, Any]]:
        with self.questions.ask(f"SELECT * FROM series WHERE {where} ORDER BY ALL") as answer:
            self.read = answer.read
            return answer.reader.read_all().to_pylist()

    def assert_right(self, *, is_kept: bool = True) -> None:
        """The view says what all readings say, and looks at none that is in the table, or at all."""
        sql = "SELECT * FROM series ORDER BY ALL"
        counted = lakes.ask(self.config.lake, self.config.journal.path, sql)
        assert self.ask() == counted.to_pylist()
        assert any("/series/" in file.uri for file in self.read.files) == is_kept

    def maintain(self, **settings: Any) -> None:
        config = replace(
            self.config, maintain=Maintain(level=3, grace_s=0.0, **settings),
            register=Register(keep_snapshots=1),
        )  # fmt: skip
        maintainer = Maintainer(config, open_store(config.lake), self.clock, Metrics("cloud_sync"))
        for _ in range(3):
            assert not maintainer.round().problems


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.journal.close()
    made.questions.close()


def test_it_has_the_numbers_of_a_count_at_every_step_of_a_reading(site: Site) -> None:
    """In the journal, landed, registered, kept; late, odd, text, a new unit, a second device, a restart."""
    site.bring("pump-0", readings(4))
    site.assert_right(is_kept=False)
    site.keeper.step()
    batches = [
        readings(40),
        readings(40, start_us=START_US + DAY_US),
        readings(40, start_us=START_US - DAY_US, seed=2),
        batch(["s0", "state"], [START_US + 2 * DAY_US] * 2, [None, None], ["odd one", "on"]),
        batch(["s1", "new"], [START_US + 300 * DAY_US] * 2, [9.0, 1.0]),
        readings(3, start_us=START_US + DAY_US, seed=3),
    ]
    for number, rows in enumerate(batches):
        received = START_US + 3 * DAY_US if number == 4 else None
        units = {"s0": "Cel"} if number < 2 else {"s0": "K"}
        site.journal.append(f"pump-{number % 2}", rows, received_at=received, units=units)
        site.assert_right()
        for act in (site.path.land, site.path.register, site.keeper.step, site.restart):
            act()
            site.assert_right()
    assert [row["unit"] for row in site.ask("name = 's0'")] == ["Cel", "K"]
    (odd,) = site.ask("name = 'new'")
    assert (odd["rows"], odd["first_time"], odd["last_time"]) == (1, None, None)


def test_no_file_of_readings_is_opened_for_it(site: Site) -> None:
    """But those that landed since; and of the kept those that can have what is asked for."""
    for day in range(5):
        site.bring(f"pump-{day}", readings(40, start_us=START_US + day * DAY_US))
    site.keeper.step()
    assert len(site.ask()) == 20
    assert [file.origin for file in site.read.files] == ["registered"]
    assert "/series/" in site.read.files[0].uri
    site.bring("pump-0", readings(40, start_us=START_US + 9 * DAY_US))
    site.journal.append("pump-9", readings(40))
    assert [row["rows"] for row in site.ask("device = 'pump-0'")] == [20] * 4
    assert sorted(file.origin for file in site.read.files) == ["landed", "registered"]
    assert site.read.tail == 0
    assert site.ask("device = 'pump-8'") == []
    site.assert_right()


def test_it_counts_where_compaction_has_taken_what_the_table_lacks(site: Site) -> None:
    """Until the keeper has counted, too."""
    site.bring("pump", readings(40))
    site.keeper.step()
    site.bring("pump", readings(40, start_us=START_US + MINUTE_US))
    site.maintain()
    assert not list(site.config.lake.folder.glob("landing/*/*/*.parquet"))
    site.assert_right(is_kept=False)
    site.keeper.step()
    site.assert_right()
    site.maintain()
    site.assert_right()


def test_it_counts_what_is_there_after_retention_and_keeps_what_was(site: Site) -> None:
    """A series that has lost all of its readings is none of the view, and stays in the table, without any."""
    site.bring("old", batch(["state"], [START_US], [None], ["on"]))
    site.bring("pump", readings(40))
    site.bring("pump", readings(40, start_us=START_US + 30 * DAY_US))
    site.keeper.step()
    site.maintain(keep_days={"readings": 20})
    site.assert_right(is_kept=False)
    assert site.keeper.step() == 40
    site.assert_right()
    assert {row["device"] for row in site.ask()} == {"pump"}
    kept = open_catalogue(site.config.lake).load_table((NAMESPACE, "series")).scan().to_arrow()
    (gone,) = (row for row in kept.to_pylist() if row["device"] == "old")
    assert (gone["readings"], gone["type"], gone["last_time"] is None) == (0, None, False)
    site.bring("old", readings(4, start_us=START_US + 39 * DAY_US))
    site.assert_right()
    site.keeper.step()
    site.assert_right()


def test_it_counts_while_the_table_is_set_back_and_after(site: Site) -> None:
    """Readings are counted as they are there; the keeper counts again, once an hour at most."""
    for minute in range(3):
        site.bring("pump", readings(40, start_us=START_US + minute * MINUTE_US))
    site.keeper.step()
    table = open_catalogue(site.config.lake).load_table((NAMESPACE, "readings"))
    before, now = table.snapshots()[-2], table.current_snapshot()
    table.manage_snapshots().set_current_snapshot(before.snapshot_id).commit()
    site.assert_right(is_kept=False)
    assert site.keeper.step() == 80
    site.assert_right()
    table.refresh()
    table.manage_snapshots().set_current_snapshot(now.snapshot_id).commit()
    for _ in range(2):
        site.assert_right(is_kept=False)
        assert site.keeper.step() == 0
    site.clock.advance(3_600)
    assert site.keeper.step() == 120
    site.assert_right()
