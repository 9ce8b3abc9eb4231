"""Refusals of InfluxDB as its documentation and its own tests give them, taken apart."""

from __future__ import annotations

import json

import numpy as np
import pytest

from gateway.sinks.influxdb.partial import take_apart
from gateway.sinks.search import Result

ITEMS = np.arange(10, 16)


def shown(result: Result) -> tuple[list[tuple[list[int], str]], list[list[int]]]:
    refused = [(items.tolist(), why) for items, why in result.refused]
    return refused, [items.tolist() for items in result.again]


V3_PARTIAL = {
    "error": "partial write of line protocol occurred",
    "data": [
        {"original_line": "cpu,host=a val= 123", "line_number": 2, "error_message": "No fields were provided"},
        {"original_line": "x", "line_number": 6, "error_message": "invalid column type"},
    ],
}  # fmt: skip
V3_REFUSED = {
    "error": "parsing failed for write_lp endpoint",
    "data": {"original_line": "cpu,host=a val= 123", "line_number": 1, "error_message": "No fields were provided"},
}  # fmt: skip
V2_NAMED = {
    "code": "invalid",
    "line": 2,
    "message": "failed to parse line protocol: errors encountered on line(s):\n"
    "error parsing line 2 (1-based): Invalid measurement was provided\n"
    "error parsing line 4 (1-based): Unable to parse timestamp value '1234'",
}


def test_a_partial_write_of_v3_names_what_it_refused_and_has_the_rest() -> None:
    """So nothing is sent again."""
    assert shown(take_apart(ITEMS, json.dumps(V3_PARTIAL))) == (
        [([11], "No fields were provided"), ([15], "invalid column type")],
        [],
    )


def test_a_whole_refusal_of_v3_names_one_line_and_has_none_of_the_rest() -> None:
    """The rest is sent again without it."""
    assert shown(take_apart(ITEMS, json.dumps(V3_REFUSED))) == (
        [([10], "No fields were provided")],
        [[11, 12, 13, 14, 15]],
    )


def test_lines_that_v2_names_are_refused_and_the_rest_is_sent_again() -> None:
    """It does not say what became of the others, and names a hundred at most."""
    assert shown(take_apart(ITEMS, json.dumps(V2_NAMED))) == (
        [([11], "Invalid measurement was provided"), ([13], "Unable to parse timestamp value '1234'")],
        [[10, 12, 14, 15]],
    )  # fmt: skip


def test_all_dropped_is_refused_without_a_search() -> None:
    """1.x, and 2.x in its JSON, count what they dropped."""
    text = "partial write: field type conflict: … dropped=6"
    assert shown(take_apart(ITEMS, text)) == ([(ITEMS.tolist(), text)], [])


@pytest.mark.parametrize(
    "text",
    [
        "partial write: points beyond retention policy dropped=2",
        '{"code":"unprocessable entity","message":"partial write: points beyond retention policy dropped=2"}',
        "unable to parse 'x': missing fields",
        "",
        "[]",
        "null",
        '{"error": "partial write of line protocol occurred"}',
        '{"error": "partial write of line protocol occurred", "data": []}',
        json.dumps(
            {**V3_REFUSED, "data": [{"line_number": 7, "error_message": "not one of ours"}]}
        ),
        json.dumps({**V3_REFUSED, "data": [{"line_number": 0}]}),
    ],
)
def test_an_answer_that_names_nothing_of_ours_is_halved(text: str) -> None:
    """Whatever a proxy or a next version may say, each bad line is found."""
    assert shown(take_apart(ITEMS, text)) == ([], [[10, 11, 12], [13, 14, 15]])


def test_a_single_line_that_is_refused_is_found() -> None:
    """Also when the answer does not name it."""
    assert shown(take_apart(ITEMS[:1], "no")) == ([([10], "no")], [])
