"""Small payloads that are gathered say the same as those that are read one by one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.ingest.arrival import Arrival
from gateway.ingest.gather import gather
from gateway.ingest.reading import Accepted, read
from headrace import codecs

RECEIVED = 1_790_000_000_000_000

records = st.fixed_dictionaries(
    {"n": st.sampled_from(["flow", "level", "alert/x", ""])},
    optional={
        "v": st.one_of(st.integers(-(2**60), 2**60), st.floats(allow_nan=False, allow_infinity=False)),
        "vs": st.text(max_size=3),
        "u": st.sampled_from(["l/s", "m"]),
        "t": st.sampled_from([0, -1, 1_790_000_000, 1e300]),
        "bn": st.sampled_from(["", "p/"]),
    },
)  # fmt: skip
identities = st.sampled_from([{}, {"stream": "0123456789abcdef"}, {"stream": "fedcba9876543210"}])


@st.composite
def arrivals(draw: st.DrawFn) -> list[Arrival]:
    """Payloads of a few devices; most number their readings without holes, some do not."""
    made = []
    counts: defaultdict[tuple[str, str], int] = defaultdict(int)
    for number in range(draw(st.integers(0, 12))):
        device = draw(st.sampled_from(["a", "b", "not allowed"]))
        pack = draw(st.lists(records, max_size=3))
        identity = draw(identities)
        if pack and identity:
            key = (device, identity["stream"])
            seq = draw(st.sampled_from([counts[key] + 1, counts[key] + 1, 7]))
            pack = [{**pack[0], **identity, "seq": seq}, *pack[1:]]
            counts[key] = seq + len(pack) - 1
        payload = msgspec.json.encode(pack)
        if draw(st.integers(0, 9)) == 0:
            payload = payload[:-1]
        made.append(Arrival(device, "senml-json", payload, RECEIVED + number * 1_000))
    return made


def rows(accepted: Sequence[Accepted]) -> dict[str, list[object]]:
    """What each device's batches hold, reading by reading."""
    found: defaultdict[str, list[object]] = defaultdict(list)
    for batch in accepted:
        decoded = batch.decoded
        for number, row in enumerate(decoded.rows.to_pylist()):
            seq = decoded.first_seq + number if decoded.stream else 0
            found[batch.device].append((decoded.stream, seq, decoded.units.get(row["name"]), row))
    return found


@settings(deadline=None)
@given(arrivals())
def test_gathered_payloads_hold_what_single_ones_hold(made: list[Arrival]) -> None:
    """Values, times, texts, units and identities; what is left over is read one by one, as ever."""
    gathered, left = gather(made)
    taken = {id(each) for batch in gathered for each in batch.arrivals}
    assert taken | {id(each) for each in left} == {id(each) for each in made}
    singly = [result for each in made if isinstance(result := read(each), Accepted)]
    others = [result for each in left if isinstance(result := read(each), Accepted)]
    every, expected = rows([*gathered, *others]), rows(singly)
    assert every.keys() == expected.keys()
    for device, found in every.items():
        assert sorted(map(repr, found)) == sorted(map(repr, expected[device]))


@settings(deadline=None)
@given(arrivals())
def test_the_journal_gives_back_what_was_gathered(made: list[Arrival]) -> None:
    """Decoding the payload of a row again yields the readings that were handed on."""
    for batch in gather(made)[0]:
        again = codecs.decode(batch.format, batch.payload, batch.received_at)
        assert again.rows.to_pylist() == batch.decoded.rows.to_pylist()
        assert (again.stream, dict(again.units)) == (
            batch.decoded.stream,
            dict(batch.decoded.units),
        )


@settings(deadline=None)
@given(arrivals())
def test_small_rows_that_are_decoded_together_are_what_each_is_alone(made: list[Arrival]) -> None:
    """What cannot be decoded with the others is left to be decoded by itself, as ever."""
    items = [(batch.format, batch.payload, batch.received_at) for batch in gather(made)[0]]
    items += [(each.format, each.payload, each.received_at) for each in made]
    for item, decoded in zip(items, codecs.decode_small(items), strict=True):
        if decoded is None:
            continue
        alone = codecs.decode(*item)
        assert decoded.rows.to_pylist() == alone.rows.to_pylist()
        identity = (decoded.stream, decoded.first_seq, dict(decoded.units))
        assert identity == (alone.stream, alone.first_seq, dict(alone.units))
