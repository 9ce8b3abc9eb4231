"""The newest reading of each series: what is kept for it, and what a query adds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloud_sync.lake.latest import LatestKeeper
from cloud_sync.landing.parquet import DAY_US
from headrace.lake.latest import PATH
from headrace.query.ask import Questions
from headrace.query.config import Place
from tests import lakes
from tests.journals import START_US, Journal, batch, readings

NEWEST = """
SELECT site, device, name, time, value, text, unit FROM readings WHERE clock IS DISTINCT FROM 'odd'
QUALIFY row_number() OVER (PARTITION BY site, device, name ORDER BY time DESC, received DESC, seq DESC) = 1
ORDER BY ALL
"""


class Site:
    """A journal, a lake, and what keeps it."""

    def __init__(self, folder: Path) -> None:
        self.config = lakes.settings(folder)
        self.journal = Journal(self.config.journal.path)
        self.path = lakes.pipeline(self.config)
        self.keeper = LatestKeeper(self.config.lake)
        self.questions = Questions(Place(self.config.lake, self.config.journal.path))
        self.state = self.config.lake.folder / PATH

    def rows(self, where: str = "true") -> list[dict[str, Any]]:
        with self.questions.ask(f"SELECT * FROM latest WHERE {where} ORDER BY ALL") as answer:
            self.read = answer.read
            return answer.reader.read_all().to_pylist()

    def assert_right(self) -> None:
        """The view says what all readings say."""
        with self.questions.ask(NEWEST) as answer:
            assert self.rows() == answer.reader.read_all().to_pylist()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.journal.close()
    made.questions.close()


def test_it_is_right_at_every_step_of_a_reading(site: Site) -> None:
    """In the journal, landed, registered, kept; late, odd, text, on two days, and from a second device."""
    acts = [site.path.land, site.path.register, site.keeper.step]
    batches = [
        readings(40),
        readings(40, start_us=START_US + DAY_US),
        readings(40, start_us=START_US - DAY_US),
        batch(["s0", "state"], [START_US + 2 * DAY_US] * 2, [None, None], ["odd one", "on"]),
        batch(["s1"], [START_US + 300 * DAY_US], [9.0]),
        readings(3, start_us=START_US + DAY_US, seed=3),
    ]
    for number, rows in enumerate(batches):
        received = START_US + 3 * DAY_US if number == 4 else None
        site.journal.append(f"pump-{number % 2}", rows, received_at=received)
        site.assert_right()
        for act in acts:
            act()
            site.assert_right()
    assert len(site.rows("device = 'pump-1'")) == 5
    assert site.read.files == ()
    assert site.rows("name = 'state'")[0]["text"] == "on"


def test_a_query_reads_what_is_kept_and_what_came_since(site: Site) -> None:
    """Not the days before."""
    for day in range(5):
        site.journal.append("pump", readings(40, start_us=START_US + day * DAY_US))
        site.path.land()
        site.path.register()
    site.rows()
    assert len(site.read.files) == 5  # nothing is kept yet: all readings are asked
    assert site.keeper.step() == 200
    assert site.keeper.step() == 0
    site.rows()
    assert site.read.files == ()
    site.journal.append("pump", readings(40, start_us=START_US + 9 * DAY_US))
    site.path.land()
    site.journal.append("other", readings(40))
    assert len(site.rows("device = 'pump'")) == 4
    assert [file.origin for file in site.read.files] == ["landed"]
    assert site.read.tail == 0
    site.assert_right()


def test_what_is_kept_is_made_again_when_it_is_lost_or_a_landed_file_is(site: Site) -> None:
    """From the table, which has everything."""
    site.journal.append("pump", readings(40))
    site.path.land()
    site.path.register()
    site.keeper.step()
    for harm in (lambda: site.state.unlink(), lambda: site.state.write_bytes(b"PAR1 not")):
        harm()
        assert site.keeper.step() == 40
        site.assert_right()
    site.journal.append("pump", readings(40, start_us=START_US + DAY_US))
    site.path.land()
    site.path.register()
    kept = site.state.read_bytes()
    assert site.keeper.step() == 40
    site.state.write_bytes(kept)
    landed = sorted(site.config.lake.folder.glob("landing/*/*/*.parquet"))[-1]
    moved = landed.with_suffix(".elsewhere")
    landed.rename(moved)
    with pytest.raises(Exception, match="cannot be read"):  # the table refers to it here
        site.keeper.step()
    moved.rename(landed)
    assert site.state.read_bytes() == kept
    site.keeper.step()
    site.assert_right()


def test_a_view_is_found_by_each_of_its_names(site: Site) -> None:
    """Also by those that nobody types."""
    site.journal.append("pump", readings(4))
    for name in ("latest", "LATEST", '"latest"', "main.latest", "memory.main.latest"):
        with site.questions.ask(f"SELECT count(*) AS n FROM {name}") as answer:
            assert answer.reader.read_all().to_pylist() == [{"n": 4}]
    both = "SELECT count(*) AS n FROM series WHERE device IN (SELECT device FROM main.alerts)"
    with site.questions.ask(both) as answer:
        assert answer.reader.read_all().to_pylist() == [{"n": 0}]
