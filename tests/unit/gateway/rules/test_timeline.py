from __future__ import annotations

from pathlib import Path

import pytest

from gateway.rules.timeline import parse_values, run_timeline
from headrace.errors import ConfigError

EXAMPLE = Path(__file__).parent / "timelines" / "pump_station.toml"


def test_the_example_timeline_holds() -> None:
    """What users are shown works."""
    assert run_timeline(EXAMPLE) == []


def test_an_expectation_that_is_not_met_is_named(tmp_path: Path) -> None:
    """A failure says when, which rule, what was expected and what was there."""
    path = tmp_path / "t.toml"
    path.write_text(EXAMPLE.read_text().replace('at_s = 5, rule = "motor-hot", device = "pump-1", state = "firing"', 'at_s = 5, rule = "motor-hot", device = "pump-1", state = "none"'))  # fmt: skip
    assert run_timeline(path) == [
        "hot for four seconds, calm for one in between: at 5 s expected motor-hot on pump-1 "
        "to be none, got firing"
    ]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("5", [5]),
        ("_", [None]),
        ("_x2", [None, None]),
        ("5x3", [5, 5, 5, 5]),
        ("5+2x3", [5, 7, 9, 11]),
        ("5-2x3", [5, 3, 1, -1]),
        ("-1.5 1e3", [-1.5, 1000]),
        ("", []),
    ],
)
def test_values_are_written_as_in_prometheus(text: str, values: list[float | None]) -> None:
    """Who knows one tester knows the other."""
    assert parse_values(text) == values


def test_every_fault_of_a_timeline_file_is_named_at_once(tmp_path: Path) -> None:
    """As in any configuration."""
    path = tmp_path / "t.toml"
    path.write_text(
        '[[rules]]\nname = "a"\nkind = "threshold"\n\n[[timelines]]\nname = "x"\n'
        'series = [{ device = "d", name = "n", values = "5y" }]\n'
        'expect = [{ at_s = 1, rule = "b", device = "d", state = "firing" }]\n'
    )
    with pytest.raises(ConfigError) as caught:
        run_timeline(path)
    assert {fault.key for fault in caught.value.faults} == {
        "rules[0].series",
        "rules[0].value",
        "timelines[0].series[0].values",
        "timelines[0].expect[0].rule",
    }
