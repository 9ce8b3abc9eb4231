"""Columns of times, as files have them."""

from __future__ import annotations

import pyarrow as pa
import pytest

from cloud_sync.imports.times import guess, parse, problem_of
from headrace.errors import UsageError


def texts(column: list[str | None], format_name: str, zone: str = "UTC") -> list[str | None]:
    found = parse(pa.array(column, pa.utf8()), format_name, zone).to_pylist()
    return [each and each.isoformat() for each in found]


def test_iso_times_have_their_zone_or_the_job_s() -> None:
    """With fractions, offsets and days alone; what is no time is null and ends nothing."""
    column = ["2024-02-29T12:00:00.123456789Z", "2024-01-01T00:00+05:30", "2024-01-01", "2024-02-30", "x", None]  # fmt: skip
    assert texts(column, "auto", "Europe/Berlin") == [
        "2024-02-29T12:00:00.123456+00:00", "2023-12-31T18:30:00+00:00", "2023-12-31T23:00:00+00:00",
        None, None, None,
    ]  # fmt: skip


def test_the_hour_of_a_clock_change_is_the_earlier_or_the_later() -> None:
    """Twice at 02:30 in autumn, never in spring."""
    column: list[str | None] = ["2024-10-27 02:30", "2024-03-31 02:30"]
    assert texts(column, "auto", "Europe/Berlin") == ["2024-10-27T00:30:00+00:00", "2024-03-31T01:00:00+00:00"]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "pattern", "expected"),
    [
        ("31.12.2024 23:59:58.5", "%d.%m.%Y %H:%M:%S.%f", "2024-12-31T23:59:58.500000+00:00"),
        ("12/31/2024 12:05 AM", "%m/%d/%Y %I:%M %p", "2024-12-31T00:05:00+00:00"),
        ("5-Mar-69 1:02:03", "%d-%b-%y %H:%M:%S", "1969-03-05T01:02:03+00:00"),
        ("20240102T030405+0100", "%Y%m%dT%H%M%S%z", "2024-01-02T02:04:05+00:00"),
        ("1700000000.25", "unix_s", "2023-11-14T22:13:20.250000+00:00"),
        ("32.01.2024 00:00", "%d.%m.%Y %H:%M", None),
    ],
)
def test_patterns_of_strptime_and_numbers(text: str, pattern: str, expected: str | None) -> None:
    """The same as strptime says, for whole columns."""
    assert texts([text], pattern) == [expected]


def test_numbers_need_a_unit() -> None:
    """A guess of seconds for milliseconds would be off by 50,000 years."""
    (found,) = parse(pa.array([1_700_000_000_123]), "unix_ms", "UTC").to_pylist()
    assert found.isoformat() == "2023-11-14T22:13:20.123000+00:00"
    with pytest.raises(UsageError, match="unix_ms"):
        parse(pa.array([1_700_000_000_123]), "auto", "UTC")


def test_formats_and_zones_that_do_not_exist_are_told() -> None:
    """Before anything is read."""
    assert "time_format" in problem_of("%Q", "UTC")
    assert "time_zone" in problem_of("auto", "Atlantis/Capital")
    assert problem_of("%d.%m.%Y", "Europe/Berlin") == ""


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        ("1700000000123", "unix_ms"), ("13/02/2024 10:00", "%d/%m/%Y %H:%M"),
        ("2024-02-29 12:00", "auto"), ("pump", ""),
    ],
)  # fmt: skip
def test_a_format_is_found_that_fits_a_sample(sample: str, expected: str) -> None:
    """For sniff."""
    assert guess(pa.array([sample])) == expected
