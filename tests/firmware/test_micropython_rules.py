"""The MicroPython firmware's ring, clock and uplink: they are plain Python, so they run here too."""

from __future__ import annotations

import importlib
import json
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.firmware.tools import EXAMPLES

SERIES = [["level", "m", 2], ["temperature", "Cel", 1]]
RECORD = 16


class Modules:
    """The firmware's modules, by name."""

    def __getattr__(self, name: str) -> ModuleType:
        return importlib.import_module(name)


@pytest.fixture
def firmware() -> Iterator[Any]:
    folder = str(EXAMPLES / "micropython")
    sys.path.insert(0, folder)
    yield Modules()
    sys.path.remove(folder)
    for name in [name for name in sys.modules if name.startswith("hr_")]:
        del sys.modules[name]


class Ticks:
    """A counter of milliseconds that wraps as MicroPython's does."""

    def __init__(self, start: int = 0) -> None:
        self.now = start

    def __call__(self) -> int:
        return self.now & ((1 << 30) - 1)


@pytest.fixture
def ring(firmware: Any, tmp_path: Path) -> Any:
    """A ring of four files of five readings."""
    return reopen(firmware, tmp_path)


def reopen(firmware: Any, folder: Path) -> Any:
    return firmware.hr_ring.Ring(str(folder / "ring"), SERIES, segments=4, segment_readings=5)


def fill(ring: Any, first: int, count: int) -> None:
    for value in range(first, first + count):
        assert ring.append([(value % 2, value * 1_000_000, True, value)])


def held(ring: Any) -> list[tuple[str, int, int]]:
    """All that the ring would send: stream, seq, value."""
    found, position = [], ring.tail()
    while (batch := ring.read(position, 3)) is not None:
        stream, first, rows, _, position = batch
        found += [(stream, first + index, row[3]) for index, row in enumerate(rows)]
    return found


def newest_file(folder: Path) -> Path:
    return max((folder / "ring").iterdir())


def test_numbers_go_on_after_a_restart(firmware: Any, ring: Any, tmp_path: Path) -> None:
    """Same stream, next number, nothing missing."""
    fill(ring, 1, 7)
    again = reopen(firmware, tmp_path)
    fill(again, 8, 1)
    assert [(seq, value) for _, seq, value in held(again)] == [(n, n) for n in range(1, 9)]
    assert len({stream for stream, _, _ in held(again)}) == 1


def test_a_write_torn_at_any_byte_loses_that_reading_alone(
    firmware: Any, ring: Any, tmp_path: Path
) -> None:
    """And the numbers that may have been on their way are not given again."""
    fill(ring, 1, 8)
    before = held(ring)
    whole = newest_file(tmp_path).read_bytes()
    for cut in range(1, len(whole)):
        for path in (tmp_path / "ring").iterdir():
            if path.name > "00000002.hrs":
                path.unlink()
        path = tmp_path / "ring" / "00000002.hrs"
        path.write_bytes(whole[:-cut])
        again = reopen(firmware, tmp_path)
        fill(again, 100, 1)
        kept = 3 - (cut + RECORD - 1) // RECORD if cut < 3 * RECORD else 0
        assert held(again)[: 5 + kept] == before[: 5 + kept]
        ((stream, seq, value),) = held(again)[5 + kept :]
        clean = cut % RECORD == 0 and cut <= 3 * RECORD
        assert (stream == before[0][0]) == clean
        assert (seq, value) == (6 + kept if clean else 1, 100)


def test_damage_starts_a_new_stream_once(firmware: Any, ring: Any, tmp_path: Path) -> None:
    """Not again at every start that follows."""
    fill(ring, 1, 8)
    path = newest_file(tmp_path)
    damaged = bytearray(path.read_bytes())
    damaged[4] ^= 1
    path.write_bytes(damaged)
    second = reopen(firmware, tmp_path)
    assert (second.sampled(), second.waiting()) == (0, 5)
    assert reopen(firmware, tmp_path).stream() == second.stream() != ring.stream()


def test_a_full_ring_drops_its_oldest_file_and_counts(ring: Any) -> None:
    """Bounded in files; what is gone is known by number."""
    fill(ring, 1, 21)
    assert (ring.dropped, ring.waiting(), held(ring)[0][1]) == (5, 16, 6)


def test_what_is_acknowledged_is_deleted_but_for_the_newest_file(ring: Any, tmp_path: Path) -> None:
    """The newest says where to go on."""
    fill(ring, 1, 12)
    ring.release((3, 2))
    assert (ring.waiting(), len(list((tmp_path / "ring").iterdir()))) == (0, 1)


def test_other_series_after_an_update_do_not_rename_what_waits(
    firmware: Any, ring: Any, tmp_path: Path
) -> None:
    """Each file says what its readings are called."""
    fill(ring, 1, 2)
    again = firmware.hr_ring.Ring(str(tmp_path / "ring"), [["flow", "l/s", 0]])
    assert again.append([(0, 3_000_000, True, 3)])
    stream, first, rows, series, position = again.read(again.tail(), 9)
    assert (first, len(rows), series) == (1, 2, SERIES)
    assert again.read(position, 9)[:2] == (stream, 3)


def test_time_is_relative_until_it_is_known_and_then_mends_the_past(firmware: Any) -> None:
    """Over a restart, and over the wrap of the ticks."""
    ticks = Ticks((1 << 30) - 1000)
    clock = firmware.hr_clock.Clock(floor_us=5_000_000, ticks_ms=ticks)
    ticks.now += 2000
    assert clock.now() == (7_000_000, False)
    assert clock.sent_time(6_000_000, False) == (False, -1_000_000)
    clock.set_utc(1_763_877_858_000_000)
    assert clock.sent_time(6_000_000, False) == (True, 1_763_877_857_000_000)
    ticks.now += 500
    assert clock.now() == (1_763_877_858_500_000, True)


@pytest.fixture
def uplink(firmware: Any, ring: Any) -> Any:
    """Packs of up to three readings, two at once, half of every pause."""
    clock = firmware.hr_clock.Clock(ticks_ms=Ticks())
    fill(ring, 1, 10)
    return firmware.hr_uplink.Uplink(
        ring, clock, lambda: 0.5, window=2, pack_readings=3, ack_timeout_ms=1000
    )


def sent(uplink: Any, now: int) -> list[bytes]:
    found = []
    while (payload := uplink.next_payload(now)) is not None:
        found.append(payload)
    return found


def ack(uplink: Any, *ranges: list[int], stream: str = "") -> None:
    document = {"stream": stream or uplink.ring.stream(), "ranges": list(ranges)}
    uplink.on_ack(json.dumps(document).encode())


def test_only_the_gateways_ack_frees_a_reading(uplink: Any) -> None:
    """In order, whole packs, of this stream; until then it is sent again."""
    assert sent(uplink, 0) == []
    uplink.connected()
    assert [json.loads(payload)[0]["seq"] for payload in sent(uplink, 0)] == [1, 4]
    ack(uplink, [4, 5])
    ack(uplink, [1, 2])
    ack(uplink, [1, 10], stream="f" * 16)
    uplink.on_ack(b'{"stream":')
    assert uplink.ring.waiting() == 10
    ack(uplink, [1, 3])
    assert uplink.ring.waiting() == 5
    assert [json.loads(payload)[0]["seq"] for payload in sent(uplink, 1)] == [6, 9]
    assert [json.loads(payload)[0]["seq"] for payload in sent(uplink, 5000)] == [6, 9]


def test_a_lost_connection_sends_everything_again_after_a_jittered_pause(uplink: Any) -> None:
    """The pause grows up to a minute and falls back with an ack."""
    uplink.connected()
    before = sent(uplink, 0)
    assert [uplink.disconnected() for _ in range(9)][::4] == [250, 4000, 30000]
    assert sent(uplink, 1) == []
    uplink.connected()
    assert sent(uplink, 2) == before
    ack(uplink, [1, 3])
    assert uplink.disconnected() == 250


def test_a_nack_drops_the_pack_of_that_checksum_and_counts(uplink: Any) -> None:
    """It is in the gateway's quarantine: sending it again would change nothing."""
    uplink.connected()
    first, _ = sent(uplink, 0)
    nack = {"stream": "", "ranges": [], "reason": "bad_value", "crc": zlib.crc32(first)}
    uplink.on_nack(json.dumps(nack).encode())
    assert (uplink.refused, uplink.last_refusal, uplink.ring.waiting()) == (3, "bad_value", 7)


def test_a_ring_that_overflows_under_way_goes_on(uplink: Any) -> None:
    """What was in flight and is gone frees its place."""
    uplink.connected()
    sent(uplink, 0)
    fill(uplink.ring, 11, 30)
    for now in range(2000, 100_000, 2000):
        sent(uplink, now)
        ack(uplink, [1, 40])
    assert uplink.idle()
    assert uplink.ring.dropped > 0
