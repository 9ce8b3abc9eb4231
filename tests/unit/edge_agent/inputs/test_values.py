"""What inputs share: numbers, leaves of documents, and complaints that are made once."""

from __future__ import annotations

import logging

import pytest

from edge_agent.inputs.values import Complaints, flatten, is_widened, leaf_number, number, switch
from headrace.limits.inputs import INPUT_MAX_COMPLAINTS

LOG = logging.getLogger("sensors")


@pytest.mark.parametrize("text", ["nan", "inf", "-Infinity", "1_000", "", "1,5", "0x10", "1e999"])
def test_what_python_would_take_and_no_sensor_means_is_no_number(text: str) -> None:
    """float() is generous."""
    assert number(text) is None


def test_leaves_of_a_document_are_numbers_booleans_and_words() -> None:
    """A number too large for a double is none."""
    assert [leaf_number(leaf) for leaf in (True, 3, 1.5, " 2 ", "on", "Closed")] == [
        1,
        3,
        1.5,
        2,
        1,
        0,
    ]
    assert [leaf_number(leaf) for leaf in ("x", 10**400, float("inf"))] == [None] * 3
    assert switch("opened") is None


@pytest.mark.parametrize(
    ("said", "value", "widened"),
    [
        (2**53, 2.0**53, False), (2**53 + 1, 2.0**53, True), (-(2**53) - 1, -(2.0**53), True),
        (2**60, 2.0**60, False), (" +9007199254740993 ", 2.0**53, True), ("1e300", 1e300, False),
        (1e300, 1e300, False), ("7", 7.0, False), (2**64 - 1, 2.0**64, True),
    ],
)  # fmt: skip
def test_an_integer_without_a_double_of_its_own_is_the_nearest_and_told(
    said: object, value: float, widened: bool
) -> None:
    """As at the gateway: decision 23."""
    assert leaf_number(said) == value
    assert is_widened(said, value) == widened


def test_a_widened_series_is_said_once_and_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    """Counted each time; a failure that heals does not make it news again."""
    complaints = Complaints(LOG)
    with caplog.at_level(logging.INFO):
        complaints.widened("energy")
        complaints.widened("energy", 2)
        complaints.heal("energy")
        complaints.note("energy", "no number")
        complaints.heal("energy")
        complaints.widened("energy")
    assert (complaints.take_widened(), complaints.take_widened()) == (4, 0)
    assert complaints.take() == {"unreadable": 1}
    said = [line.split(";")[0] for line in caplog.messages]
    assert len(said) == 3
    assert "beyond 2**53" in said[0]
    assert said[1:] == ["energy: no number", "energy: can be read again"]


def test_paths_follow_the_order_of_the_document() -> None:
    """Nulls are left out, lists are numbered."""
    document = {"a": {"b": 1, "c": [2, {"d": 3}]}, "e": None, "f": 4}
    assert list(flatten(document)) == [("a/b", 1), ("a/c/0", 2), ("a/c/1/d", 3), ("f", 4)]
    assert list(flatten(7)) == [("", 7)]


def test_a_complaint_is_said_once_until_it_heals(caplog: pytest.LogCaptureFixture) -> None:
    """And counted every time; each reason is news of its own."""
    complaints = Complaints(LOG)
    with caplog.at_level(logging.INFO):
        complaints.heal("a")
        for _ in range(3):
            complaints.note("a", "no number")
        complaints.note("a", "checksum", reason="crc", count=2)
        assert complaints.take() == {"unreadable": 3, "crc": 2}
        assert complaints.take() == {}
        complaints.heal("a")
        complaints.note("a", "no number")
    assert [line.split(";")[0] for line in caplog.messages] == [
        "a: no number", "a: checksum", "a: can be read again", "a: no number",
    ]  # fmt: skip


def test_names_made_from_data_do_not_fill_memory_or_log(caplog: pytest.LogCaptureFixture) -> None:
    """Beyond the bound they are counted only."""
    complaints = Complaints(LOG)
    for name in range(INPUT_MAX_COMPLAINTS + 50):
        complaints.note(str(name), "no number")
    assert len(caplog.records) == INPUT_MAX_COMPLAINTS
    assert complaints.take() == {"unreadable": INPUT_MAX_COMPLAINTS + 50}
    complaints = Complaints(LOG)
    complaints.note("n" * 100_000, "no number")
    assert len(caplog.messages[-1]) < 300
