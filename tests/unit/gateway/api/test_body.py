"""Bodies in bounded memory and time."""

from __future__ import annotations

import asyncio
import gzip

import pytest
import zstandard

from gateway.api.body import Budget, read_body, unpack
from headrace.errors import RequestError
from headrace.limits.wire import MAX_PAYLOAD_BYTES


async def chunks(*parts):
    for part in parts:
        yield part


async def nothing_more(first):
    yield first
    await asyncio.Event().wait()


def status_of(coroutine):
    with pytest.raises(RequestError) as caught:
        asyncio.run(coroutine)
    return caught.value.status


def test_a_body_that_stops_coming_is_given_up():
    """408, and what it had taken is given back."""
    budget = Budget()

    async def read():
        with budget.lease() as lease:
            await read_body(nothing_more(b"abc"), "10", lease, within_s=0.01)

    assert status_of(read()) == 408
    assert budget.used == 0


def test_all_bodies_together_are_bounded():
    """429 for the one that does not fit any more; the others go on."""
    budget = Budget(max_bytes=10)
    with budget.lease() as first:
        first.grow(8)

        async def read():
            with budget.lease() as lease:
                await read_body(chunks(b"ab", b"cd"), None, lease)

        assert status_of(read()) == 429
        assert budget.used == 8
    assert budget.used == 0


def test_a_declared_size_is_believed_when_it_is_too_large():
    """Nothing is read."""

    async def untouched():
        raise AssertionError("read")
        yield b""

    with Budget().lease() as lease:
        for declared in (str(MAX_PAYLOAD_BYTES + 1), "9" * 5_000):
            assert status_of(read_body(untouched(), declared, lease)) == 413


def test_a_chunked_body_is_cut_where_it_becomes_too_large():
    """No header says how long it is."""
    with Budget().lease() as lease:
        parts = chunks(*[b"a" * 1_000_000] * 9)
        assert status_of(read_body(parts, None, lease)) == 413
        assert lease.taken <= MAX_PAYLOAD_BYTES


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("", bytes),
        ("identity", bytes),
        ("gzip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("gzip", lambda body: gzip.compress(body[:1]) + gzip.compress(body[1:])),
        ("zstd", zstandard.compress),
        ("zstd", lambda body: zstandard.compress(body[:1]) + zstandard.compress(body[1:])),
    ],
)
def test_encodings_are_undone(encoding, pack):
    """Several members or frames in a row, too, as the standards allow."""
    with Budget(10**9).lease() as lease:
        assert asyncio.run(unpack(pack(b"abc"), encoding, lease)) == b"abc"


@pytest.mark.parametrize("size", [MAX_PAYLOAD_BYTES, MAX_PAYLOAD_BYTES + 1])
@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("zstd", zstandard.compress)])  # fmt: skip
def test_what_grows_too_large_is_refused(encoding, pack, size):
    """At the bound itself it is taken."""
    with Budget(10**9).lease() as lease:
        body = pack(b"a" * size)
        if size <= MAX_PAYLOAD_BYTES:
            assert len(asyncio.run(unpack(body, encoding, lease))) == size
        else:
            assert status_of(unpack(body, encoding, lease)) == 413


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", b"no"), ("gzip", gzip.compress(b"abc", mtime=0)[:-1]), ("gzip", gzip.compress(b"a", mtime=0) + b"x"),
        ("gzip", gzip.compress(b"", mtime=0) * 100_000), ("zstd", zstandard.compress(b"") * 100_000),
        ("gzip", b""), ("zstd", b""), ("zstd", b"no"), ("zstd", zstandard.compress(b"abc" * 99)[:-1]),
    ],
)  # fmt: skip
def test_broken_streams_are_refused(encoding, body):
    """Never half of a body."""
    with Budget().lease() as lease:
        assert status_of(unpack(body, encoding, lease)) == 400
