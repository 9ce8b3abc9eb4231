"""The two readers of line protocol: what the fast one takes, it takes exactly as the grammar says."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from headrace.codecs import line_columns, line_exact
from headrace.codecs.columns import Decoded
from headrace.errors import PayloadError

NOW = 1_790_000_000_000_000
UNITS = st.sampled_from([(1, 1_000), (1, 1), (1_000, 1), (3_600_000_000, 1)])

letters = st.sampled_from(
    [*'abtTfFiuxµ;#"\t\r\0', r"\ ", r"\,", r"\=", r"\"", "\\", "\\\\", "\U0001f4a7"]
)
names = st.lists(letters, min_size=1, max_size=5).map("".join)
tags = st.lists(st.tuples(names, names).map("=".join), max_size=3)
heads = st.tuples(names, tags).map(lambda parts: ",".join([parts[0], *parts[1]]))
pieces = st.sampled_from([*"ab ,=\n#\t\rµ", r"\"", r"\\", r"\a"])
strings = st.lists(pieces, max_size=8).map("".join).map('"{}"'.format)
strange = st.sampled_from(
    ["+1", "nan", "-inf", "0x10", "0x1i", "1_0", "1e400", "-", ".", "", "tru", '"', '"a"b', '"a"\\"', "-1u", "1iu", "9223372036854775807i", "9007199254740993i", "9223372036854775808u", "1e-400", "1e", "i", "u", "1\\", "=1"]
)  # fmt: skip
values = (
    st.floats(allow_nan=False, allow_infinity=False).map(repr)
    | st.integers(-(2**53), 2**53).map("{}i".format)
    | st.integers(-(2**63), 2**63 - 1).map("{}i".format)
    | st.integers(0, 2**53).map("{}u".format)
    | st.integers(0, 2**63 - 1).map("{}u".format)
    | st.sampled_from(["t", "T", "true", "True", "TRUE", "f", "F", "false", "False", "FALSE"])
    | st.sampled_from(["5.", ".5", "-.5", "-0", "-0i", "007", "007i", "1E+5", "2e-3"])
    | strings
)
times = st.integers(0, NOW * 1_000).map(str) | st.just("")


def lines(value: st.SearchStrategy[str], gap: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    fields = st.lists(st.tuples(names, value).map("=".join), min_size=1, max_size=4).map(",".join)
    return st.tuples(heads, gap, fields, gap, times).map("".join)


def payloads(value: st.SearchStrategy[str], gap: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    few = st.lists(lines(value, gap), min_size=1, max_size=4)
    # Some lines again: heads and keys that occur in several lines are what the fast one lives of.
    return st.tuples(few, few).map(lambda two: "\n".join(two[0] + two[1] + two[0]))


good = payloads(values, st.just(" "))
bad = payloads(values | strange, st.sampled_from([" ", " ", " ", "  ", "", " \t", ",", "\n"]))


def same(one: Decoded, other: Decoded) -> bool:
    """Equal to the last bit, in the dictionary of names too."""
    return (
        one.rows.equals(other.rows)
        and one.widened == other.widened
        and one.rows.column("name").dictionary.equals(other.rows.column("name").dictionary)
        and one.rows.column("value").view("int64").equals(other.rows.column("value").view("int64"))
    )


def agree(text: str, unit: tuple[int, int]) -> None:
    """A refusal by the grammar of what the fast reader took is a failure, too."""
    fast = line_columns.decode(text.encode(), NOW, *unit)
    if fast is not None:
        assert same(fast, line_exact.decode(text, NOW, *unit))


@given(good, UNITS)
@settings(max_examples=80, deadline=None)
@example('m f="a"\\"\nm g="b"', (1, 1_000))
@example("m f=0x1\n", (1, 1_000))
@example("m f=9223372036854775807i,g=-9223372036854775808i,h=9007199254740993u", (1, 1_000))
def test_what_the_fast_reader_takes_is_what_the_grammar_says(
    text: str, unit: tuple[int, int]
) -> None:
    """Names, times, values to the last bit, texts, and the order of everything."""
    agree(text, unit)


@given(bad, UNITS)
@settings(max_examples=80, deadline=None)
def test_the_fast_reader_never_takes_what_the_grammar_refuses(
    text: str, unit: tuple[int, int]
) -> None:
    """It gives up, and the other one says what is wrong."""
    agree(text, unit)


@given(
    st.text(st.characters(codec="utf-8"), max_size=60)
    | st.text(st.sampled_from([*'mf=1 ,"\\\n#it-.e']), max_size=60)
)
@settings(max_examples=80, deadline=None)
def test_any_text_is_read_alike_or_refused(text: str) -> None:
    """Whatever stands in it."""
    agree(text, (1, 1_000))


plain_names = st.text(st.sampled_from("abc"), min_size=1, max_size=3)
plain = st.lists(
    st.tuples(
        plain_names, plain_names, st.lists(st.tuples(plain_names, values).map("=".join), min_size=1, max_size=5), times
    ).map(lambda p: f"{p[0]},t={p[1]} {','.join(p[2])} {p[3]}".rstrip(" ")),
    min_size=1,
    max_size=8,
).map("\n".join)  # fmt: skip


@given(plain, UNITS)
@settings(deadline=None)
def test_the_fast_reader_takes_what_senders_send(text: str, unit: tuple[int, int]) -> None:
    """It would be right, and useless, if it gave up on everything."""
    multiply, divide = unit
    try:
        expected = line_exact.decode(text, NOW, multiply, divide)
    except PayloadError:
        return
    found = line_columns.decode(text.encode(), NOW, multiply, divide)
    if "\r" not in text:
        assert found is not None
        assert same(found, expected)
