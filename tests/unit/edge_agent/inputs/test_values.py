"""What inputs share: numbers, leaves of documents, and complaints that are made once."""

from __future__ import annotations

import logging

import pytest

from edge_agent.inputs.values import Complaints, flatten, leaf_number, number, switch
from headrace.limits.inputs import INPUT_MAX_COMPLAINTS

LOG = logging.getLogger("sensors")


@pytest.mark.parametrize(
    "text", ["nan", "inf", "-Infinity", "1_000", "", "1,5", "0x10", "1e999", str(2**53 + 1)]
)
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
    assert [leaf_number(leaf) for leaf in ("x", 10**400, float("inf"), 2**53 + 1)] == [None] * 4
    assert switch("opened") is None


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
