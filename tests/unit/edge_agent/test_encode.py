"""Accumulate, split, encode and join, read back with pyarrow as the gateway does."""

from __future__ import annotations

from array import array

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.accumulator import Accumulator, split
from edge_agent.buffer.coalesce import join, next_message
from edge_agent.buffer.store import StoredBatch
from edge_agent.encode import Header, encode, units_of
from edge_agent.readings import Poll, Run, single
from headrace import codecs
from headrace.codecs import Decoded
from headrace.limits.wire import MAX_BATCH_ROWS, MAX_BATCH_TEXT_BYTES, MAX_TEXT_BYTES
from headrace.wire import to_json

STREAM = "00112233445566aa"
NOW = 1_750_000_000_000_000


def numbers(name: str, count: int, start: int = 0, unit: str = "") -> Run:
    times = array("q", range(NOW + start, NOW + start + count))
    return Run(name, times, array("d", range(start, start + count)), unit)


def texts(name: str, *values: str) -> Run:
    return Run(name, array("q", range(NOW, NOW + len(values))), list(values))


def header_of(runs: list[Run], first_seq: int = 1) -> Header:
    has_text = any(run.is_text for run in runs)
    return Header(STREAM, first_seq, "boot-1", "synced", units_of(runs), has_text)


def decoded(payload: bytes) -> Decoded:
    return codecs.decode("arrow", payload, 0)


def table(batch: Decoded) -> list[tuple[str, int, float | None, str | None]]:
    rows = batch.rows
    micros = rows.column("time").cast(pa.int64()).to_pylist()
    names = rows.column("name").to_pylist()
    return list(
        zip(
            names,
            micros,
            rows.column("value").to_pylist(),
            rows.column("text").to_pylist(),
            strict=True,
        )
    )


def stored(runs: list[Run], first_seq: int, boot: str = "boot-1") -> StoredBatch:
    header = header_of(runs, first_seq)
    rows = sum(run.rows for run in runs)
    return StoredBatch(
        first_seq, first_seq + rows - 1, rows, NOW, boot, "synced", to_json(units_of(runs)),
        header.has_text, encode(runs, header),
    )  # fmt: skip


def test_the_gateway_reads_back_what_was_encoded() -> None:
    """Names, times, values, identity, units, boot and clock arrive."""
    batch = decoded(
        encode(
            [numbers("a", 3, unit="V"), numbers("bb", 2)], header_of([numbers("a", 3, unit="V")], 7)
        )
    )
    assert [row[0] for row in table(batch)] == ["a", "a", "a", "bb", "bb"]
    assert [row[2] for row in table(batch)] == [0.0, 1.0, 2.0, 0.0, 1.0]
    assert (batch.stream, batch.first_seq, batch.boot, batch.clock) == (
        STREAM,
        7,
        "boot-1",
        "synced",
    )
    assert batch.units == {"a": "V"}


def test_numbers_and_texts_share_a_batch() -> None:
    """Exactly one of value and text is set in every row."""
    runs = [numbers("a", 2), texts("b", "on", "", "größer"), numbers("c", 9)]
    rows = table(decoded(encode(runs, header_of(runs))))
    assert [(value, text) for _, _, value, text in rows[:5]] == [
        (0.0, None), (1.0, None), (None, "on"), (None, ""), (None, "größer"),
    ]  # fmt: skip
    assert [value for _, _, value, _ in rows[5:]] == list(map(float, range(9)))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.text(min_size=1, max_size=5).filter(lambda text: text.isprintable()),
            st.one_of(
                st.lists(st.floats(allow_nan=False), min_size=1, max_size=20),
                st.lists(st.text(max_size=6), min_size=1, max_size=20),
            ),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_any_mix_of_runs_survives(parts: list[tuple[str, list[float] | list[str]]]) -> None:
    """Whatever names and values come together, the gateway gets the same rows."""
    accumulator = Accumulator()
    expected = set()
    time = NOW
    for name, values in parts:
        times = array("q", range(time, time + len(values)))
        time += len(values)
        is_text = isinstance(values[0], str)
        run = Run(name, times, list(values) if is_text else array("d", values))  # type: ignore[arg-type]
        accumulator.add(Poll([run]))
        expected |= {
            (name, at, None if is_text else value, value if is_text else None)
            for at, value in zip(times, values, strict=True)
        }
    runs = accumulator.runs()
    assert set(table(decoded(encode(runs, header_of(runs))))) == expected


def test_polls_are_sorted_by_series_in_order_of_time() -> None:
    """What compresses best on the wire and in the lake."""
    accumulator = Accumulator()
    for at in range(3):
        accumulator.add(Poll([single("b", NOW + at, at), single("a", NOW + at, at)]))
    names = [(run.name, list(run.times)) for run in accumulator.runs()]
    assert names == [("a", [NOW, NOW + 1, NOW + 2]), ("b", [NOW, NOW + 1, NOW + 2])]


def test_the_input_may_go_on_using_its_arrays() -> None:
    """The accumulator keeps copies."""
    accumulator = Accumulator()
    run = numbers("a", 2)
    accumulator.add(Poll([run]))
    run.values[0] = 99.0
    assert list(accumulator.runs()[0].values) == [0.0, 1.0]


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (numbers("", 1), "bad_name"),
        (numbers("alert/x", 1), "reserved_name"),
        (numbers("x" * 513, 1), "bad_name"),
        (numbers("\udc80", 1), "bad_name"),
        (Run("a", array("q", [-1]), array("d", [1.0])), "bad_time"),
        (Run("a", array("q", [2**62]), array("d", [1.0])), "bad_time"),
        (Run("a", array("q", [NOW]), array("d", [1.0, 2.0])), "uneven_run"),
        (texts("a", "x" * (MAX_TEXT_BYTES + 1)), "text_too_long"),
        (texts("a", "\ud800"), "text_too_long"),
        (numbers("a", 100_001), "poll_too_large"),
    ],
)
def test_what_the_gateway_would_refuse_is_dropped_with_its_reason(run: Run, reason: str) -> None:
    """One bad run does not take the good ones of its batch into quarantine."""
    accumulator = Accumulator()
    accumulator.add(Poll([run]))
    accumulator.add(Poll([numbers("good", 1)]))
    assert accumulator.dropped == {reason: run.rows}
    assert accumulator.rows == 1
    assert accumulator.sampled == 1 + run.rows


def test_a_large_poll_is_cut_into_batches_of_bounded_rows() -> None:
    """In order, and nothing is lost at the cuts."""
    groups = split([numbers("a", 15_000), numbers("b", 7_000)])
    assert [sum(run.rows for run in group) for group in groups] == [10_000, 10_000, 2_000]
    joined = [value for group in groups for run in group for value in run.values]
    assert joined == [*map(float, range(15_000)), *map(float, range(7_000))]


def test_long_texts_are_cut_by_bytes() -> None:
    """Rows alone would let a batch grow over what a gateway accepts."""
    groups = split([texts("log", *["x" * 60_000] * 100)])
    sizes = [sum(len(text) for run in group for text in run.values) for group in groups]  # type: ignore[arg-type]
    assert len(groups) > 1
    assert max(sizes) <= MAX_BATCH_TEXT_BYTES
    assert sum(run.rows for group in groups for run in group) == 100


def test_neighbours_are_joined_into_one_message() -> None:
    """Their record batches stand behind one schema with the first seq and everyone's units."""
    group = [
        stored([numbers("a", 3, unit="V")], 1),
        stored([numbers("b", 2, unit="A")], 4),
        stored([numbers("a", 1, 50, unit="V")], 6),
    ]
    message = next_message(iter(group), STREAM)
    assert message is not None
    assert (message.first_seq, message.last_seq) == (1, 6)
    batch = decoded(message.payload)
    assert batch.first_seq == 1
    assert batch.units == {"a": "V", "b": "A"}
    assert [row[:1] + row[2:3] for row in table(batch)] == [
        ("a", 0.0), ("a", 1.0), ("a", 2.0), ("b", 0.0), ("b", 1.0), ("a", 50.0),
    ]  # fmt: skip


def test_texts_are_joined_too() -> None:
    """The bitmaps and offsets of each record batch stay its own."""
    group = [stored([texts("a", "x", "yy")], 1), stored([numbers("b", 1), texts("c", "z")], 3)]
    rows = table(decoded(join(group, STREAM)))
    assert [(name, value, text) for name, _, value, text in rows] == [
        ("a", None, "x"), ("a", None, "yy"), ("b", 0.0, None), ("c", None, "z"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "second",
    [
        stored([numbers("a", 1)], 5),  # a hole before it
        stored([numbers("a", 1)], 4, boot="boot-2"),
        stored([texts("a", "x")], 4),
        stored([numbers("a", 1, unit="mV")], 4),  # contradicts the unit of the first
        stored([numbers("b", MAX_BATCH_ROWS)], 4),
    ],
)
def test_what_does_not_belong_together_stays_apart(second: StoredBatch) -> None:
    """A message says one boot, one clock, one set of columns, and has no holes."""
    first = stored([numbers("a", 3, unit="V")], 1)
    message = next_message(iter([first, second]), STREAM)
    assert message is not None
    assert (message.last_seq, message.payload) == (3, first.payload)


def test_nothing_stored_is_no_message() -> None:
    """An empty buffer has nothing to say."""
    assert next_message(iter(()), STREAM) is None
