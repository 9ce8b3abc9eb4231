"""The two readers of SenML packs: ordinary packs mean as columns what they mean record by record."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import cbor2
from hypothesis import example, given, settings
from hypothesis import strategies as st

from headrace.codecs import senml, senml_readings, senml_records
from headrace.codecs.columns import Decoded
from headrace.codecs.senml_columns import Unusual

NOW = 1_790_000_000_000_000
LABELS = {
    "bver": -1, "bn": -2, "bt": -3, "bu": -4, "bv": -5, "bs": -6,
    "n": 0, "u": 1, "v": 2, "vs": 3, "vb": 4, "s": 5, "t": 6, "ut": 7, "vd": 8,
}  # fmt: skip

numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**54), 2**54)
times = (
    st.floats(-1e6, 2e9)
    | st.integers(-(10**6), 2 * 10**9)
    | st.sampled_from([0, -0.0, 2**28, 2**28 - 0.5, 1e300, 2**60, 0.0000005, 1.0000005, 2.5e-6])
)
names = st.sampled_from(["a", "b", "µ/c", ""])
units = st.sampled_from(["V", "W", "", None])
ordinary = st.fixed_dictionaries({"v": numbers}, optional={"n": names, "u": units, "t": times})
plain = st.fixed_dictionaries({"v": st.floats(-1e6, 1e6) | st.integers(-(10**6), 10**6), "n": st.sampled_from("abc")}, optional={"t": times})  # fmt: skip
strange = st.fixed_dictionaries(
    {},
    optional={
        "n": names, "u": units, "t": times | st.none(), "v": numbers | st.booleans() | st.none(), "vs": st.text(max_size=3),
        "vb": st.booleans(), "s": numbers, "bn": names, "bt": times, "bv": numbers, "bs": numbers, "x": st.just([{}]),
        "x_": st.just(1), "ut": st.just(1),
    },
)  # fmt: skip
firsts = st.fixed_dictionaries(
    {},
    optional={
        "bn": names, "bt": times, "bu": units, "bver": st.sampled_from([5, 10, 11]), "n": names, "v": numbers, "t": times,
        "u": units, "stream": st.just("0123456789abcdef"), "seq": st.integers(0, 5),
    },
)  # fmt: skip


def packs(record: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.tuples(firsts, st.lists(record, max_size=6)).map(lambda two: [two[0], *two[1]])


def same(one: Decoded, other: Decoded) -> bool:
    values = [each.rows.column("value").view("int64") for each in (one, other)]
    return one == other and values[0].equals(values[1])


def agree(fast: Callable[[], Decoded], slow: Callable[[], Decoded]) -> bool:
    """Whether the fast one took it; then the other must have taken it as the same."""
    try:
        found = fast()
    except Unusual:
        return False
    assert same(found, slow())
    return True


def agree_json(payload: bytes) -> bool:
    return agree(
        lambda: senml.ordinary_json(payload, NOW),
        lambda: senml_readings.resolve(senml_records.records_of_json(payload), NOW),
    )


def agree_cbor(pack: Any) -> bool:
    payload = cbor2.dumps([{LABELS.get(k, k): v for k, v in record.items()} for record in pack])
    maps = cbor2.loads(payload)
    return agree(
        lambda: senml.ordinary(*senml.split_maps(maps), NOW),
        lambda: senml_readings.resolve(senml_records.records_of_maps(maps), NOW),
    )


@given(packs(ordinary) | packs(ordinary | strange))
@settings(max_examples=150, deadline=None)
@example([{"v": 1}, {"v": -0.0}])
@example([{"bt": 2**53, "v": 1}, {"v": 1, "t": 1}])
def test_packs_mean_the_same_to_both_readers(pack: Any) -> None:
    """Names, times, values to the last bit, units and identity."""
    agree_json(json.dumps(pack, separators=(",", ":")).encode())
    agree_cbor(pack)


@given(st.lists(plain, min_size=1, max_size=8), st.sampled_from([{}, {"bn": "p/", "bt": 1.7e9}]))
@settings(deadline=None)
def test_ordinary_packs_are_taken_as_columns(records: Any, base: Any) -> None:
    """The fast reader would be right, and useless, if it gave up on everything."""
    usual = all(abs(record.get("t", 0)) < 2e9 for record in records)
    usual &= not any(str(record["v"]) == "-0.0" for record in records)
    if usual:
        assert agree_json(json.dumps([base, *records], separators=(",", ":")).encode())
        assert agree_cbor([base, *records])


@given(st.text(st.sampled_from('[]{},:"nvt1.-e '), max_size=40))
@example('[{"v":1},]')
@example('[{"v":1},{"v":1}')
@example('[{"n":"}","v":1},{"v":1}]')
def test_no_text_is_taken_that_is_no_pack(text: str) -> None:
    """A pack is cut in two before its JSON is checked."""
    agree_json(text.encode())
