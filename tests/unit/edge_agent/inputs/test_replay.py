"""The replay input: what a CSV gives, when, and where it goes on."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from edge_agent.inputs.replay import ReplayInput, ReplaySettings
from edge_agent.readings import Poll
from headrace.clock import ManualClock

CSV = "time,flow,state,label\n" + "".join(
    f"2026-01-01T00:00:0{second},{second}.5,s{second},0\n" for second in range(6)
)
BASE = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000

Reading = tuple[str, int, float | str]


def make(tmp_path: Path, content: str = CSV, **settings: Any) -> ReplaySettings:
    path = tmp_path / "recording.csv"
    path.write_text(content, encoding="utf-8")
    return ReplaySettings(path=path, **{"exclude": ("label",), "text": ("state",), **settings})


def opened(
    settings: ReplaySettings, checkpoint: str | None = None, clock: ManualClock | None = None
) -> ReplayInput:
    source = ReplayInput(settings)
    source.open(clock=clock or ManualClock(), checkpoint=checkpoint)
    return source


def readings(poll: Poll) -> list[Reading]:
    return [
        (run.name, time, value)
        for run in poll.runs
        for time, value in zip(run.times, run.values, strict=True)
    ]


def drain(source: ReplayInput) -> list[Reading]:
    found: list[Reading] = []
    while not (poll := source.poll()).done:
        found += readings(poll)
    return found


def test_every_cell_becomes_a_reading(tmp_path: Path) -> None:
    """Numbers and texts, with names and units from the settings; excluded columns are not read."""
    source = opened(
        make(tmp_path, speed="max", columns={"flow": "pump/flow"}, units={"flow": "l/s"})
    )
    poll = source.poll()
    assert [(run.name, run.unit, run.rows) for run in poll.runs] == [
        ("pump/flow", "l/s", 6), ("state", "", 6),
    ]  # fmt: skip
    assert readings(poll)[1] == ("pump/flow", BASE + 1_000_000, 1.5)
    assert readings(poll)[-1] == ("state", BASE + 5_000_000, "s5")


def test_in_real_time_rows_come_when_they_are_due(tmp_path: Path) -> None:
    """The first at once, the others as far behind it as they were recorded."""
    clock = ManualClock()
    source = opened(make(tmp_path, exclude=("label", "state")), clock=clock)
    assert source.poll().rows == 1
    assert source.poll().rows == 0
    clock.advance(2.5)
    assert source.poll().rows == 2
    clock.advance(60)
    assert source.poll().rows == 3
    assert source.poll().done


def test_a_factor_makes_time_run_faster(tmp_path: Path) -> None:
    """Ten times as fast."""
    clock = ManualClock()
    source = opened(make(tmp_path, speed=10.0, exclude=("label", "state")), clock=clock)
    source.poll()
    clock.advance(0.31)
    assert source.poll().rows == 3


def test_restamping_moves_the_first_row_to_now_and_survives_a_restart(tmp_path: Path) -> None:
    """The shift is part of the checkpoint: later rows keep their distance."""
    clock = ManualClock()
    start = clock.now_us()
    settings = make(tmp_path, restamp=True, exclude=("label", "state"))
    first = opened(settings, clock=clock).poll()
    assert first.runs[0].times[0] == start
    clock.advance(100)
    second = opened(settings, first.checkpoint, clock).poll()
    assert second.runs[0].times[0] == start + 1_000_000


def test_a_loop_starts_again_now(tmp_path: Path) -> None:
    """Each round is stamped anew."""
    clock = ManualClock()
    source = opened(
        make(tmp_path, restamp=True, loop=True, exclude=("label", "state")), clock=clock
    )
    clock.advance(10)
    source.poll()
    clock.advance(10)
    assert source.poll().rows == 5
    assert source.poll().rows == 0  # the end: back to the start
    poll = source.poll()
    assert poll.runs[0].times[0] == clock.now_us()


@pytest.mark.parametrize("seed", range(20))
def test_a_restart_at_any_poll_neither_loses_nor_repeats(tmp_path: Path, seed: int) -> None:
    """With any chunk sizes, bad rows, blank lines and quoted line breaks on the way."""
    chance = random.Random(seed)
    lines = ["time,a,b"]
    expected: list[Reading] = []
    for row in range(200):
        kind = chance.random()
        if kind < 0.05:
            lines.append("")
        elif kind < 0.1:
            lines.append("yesterday,1,x")
        elif kind < 0.2:
            lines.append(f'{row},{row}.25,"two\nlines {row}"')
            expected += [
                ("a", row * 1_000_000, row + 0.25),
                ("b", row * 1_000_000, f"two\nlines {row}"),
            ]
        else:
            lines.append(f"{row},{row}.25,ok")
            expected += [("a", row * 1_000_000, row + 0.25), ("b", row * 1_000_000, "ok")]
    text = "\n".join(lines) + "\n"
    found: list[Reading] = []
    checkpoint, clock = None, ManualClock()
    while True:
        speed: Any = chance.choice(["max", 1.0])
        source = opened(
            make(tmp_path, text, time_format="epoch_s", text=("b",), exclude=(), speed=speed,
                 chunk_rows=chance.randint(1, 40)),
            checkpoint, clock,
        )  # fmt: skip
        for _ in range(chance.randint(1, 4)):
            clock.advance(chance.uniform(0, 9))
            poll = source.poll()
            found += readings(poll)
            checkpoint = poll.checkpoint or checkpoint
            if poll.done:
                assert sorted(found, key=str) == sorted(expected, key=str)
                return
        source.close()


def test_empty_cells_are_no_readings_and_unreadable_ones_are_counted(tmp_path: Path) -> None:
    """A row without a readable time is counted with all its cells."""
    text = "time,a,b\n1,1.0,\n2,oops,nan\n?,1,1\n4,4,4\n5\n"
    source = opened(make(tmp_path, text, time_format="epoch_s", text=(), exclude=(), speed="max"))
    poll = source.poll()
    assert readings(poll) == [("a", 1_000_000, 1.0), ("a", 4_000_000, 4.0), ("b", 4_000_000, 4.0)]
    assert dict(poll.dropped) == {"unreadable": 1, "bad_time": 2}


def test_times_without_an_offset_are_in_the_time_zone(tmp_path: Path) -> None:
    """Noon in Berlin in summer is 10 o'clock UTC."""
    text = "t;a\n01.07.2026 12:00:00;1\n"
    source = opened(
        make(tmp_path, text, delimiter=";", time_column="t", time_format="%d.%m.%Y %H:%M:%S",
             timezone="Europe/Berlin", text=(), exclude=(), speed="max")
    )  # fmt: skip
    expected = int(datetime(2026, 7, 1, 10, tzinfo=UTC).timestamp()) * 1_000_000
    assert readings(source.poll()) == [("a", expected, 1.0)]


def test_another_file_is_read_from_its_start(tmp_path: Path) -> None:
    """A checkpoint belongs to the file whose header it remembers."""
    poll = opened(make(tmp_path, speed="max")).poll()
    text = "time,other\n2026-01-01T00:00:00,1\n"
    again = opened(make(tmp_path, text, speed="max", text=(), exclude=()), poll.checkpoint)
    assert len(drain(again)) == 1


def test_a_file_of_another_name_with_the_same_columns_is_read_from_its_start(
    tmp_path: Path,
) -> None:
    """The place in the one is the middle of a line in the other."""
    settings = make(tmp_path, speed="max")
    poll = opened(settings).poll()
    other = settings.path.rename(settings.path.with_name("other.csv"))
    again = opened(replace(settings, path=other), poll.checkpoint)
    assert len(drain(again)) == len(drain(opened(replace(settings, path=other))))


def test_a_file_that_has_grown_is_followed_on_the_next_start(tmp_path: Path) -> None:
    """What was read is not read again."""
    settings = make(tmp_path, speed="max")
    poll = opened(settings).poll()
    with settings.path.open("a", encoding="utf-8") as file:
        file.write("2026-01-01T00:00:09,9,s9,0\n")
    assert drain(opened(settings, poll.checkpoint)) == [
        ("flow", BASE + 9_000_000, 9.0), ("state", BASE + 9_000_000, "s9"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"speed": "fast"}, "speed"),
        ({"speed": -1.0}, "speed"),
        ({"loop": True}, "loop"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"time_column": "when"}, "time_column"),
        ({"units": {"nope": "V"}}, "units"),
        ({"encoding": "klingon"}, "encoding"),
        ({"path": Path("missing.csv")}, "path"),
    ],
)
def test_settings_that_cannot_work_say_so(
    tmp_path: Path, changes: dict[str, Any], key: str
) -> None:
    """Before anything starts."""
    settings = make(tmp_path)
    values = {name: getattr(settings, name) for name in ReplaySettings.__slots__}
    assert key in [name for name, _ in ReplaySettings(**{**values, **changes}).problems()]
