"""A fleet behind one connection: batches as agents seal them, sent as fast as the gateway acknowledges.

Run as a process of its own: ``python -m tests.bench.fleet PORT DEVICES SECONDS_A_BATCH ROUNDS``. Every device
has 10 series at 1 Hz; a batch holds SECONDS_A_BATCH of them in the bytes that ``edge_agent.encode`` makes
(with its loss window as long as that, an agent seals just these). A round is a batch of every device; all
batches of a round differ by device and stream only, so that the machine is left to broker and gateway. One MQTT
connection stands for all of them. Prints how many readings are acknowledged after each round.
"""

from __future__ import annotations

import random
import select
import socket
import sys
import time
from array import array
from collections.abc import Iterator
from typing import Final

import mqtt5
import msgspec
import zstandard
from mqtt5 import PublishPacket, QoS

from edge_agent.encode import ZSTD_LEVEL, Header, encode
from edge_agent.readings import Run
from headrace.wire import Ack

SERIES: Final = 10

#: Batches that may be unacknowledged: a quarter of what the gateway's inbox takes.
_WINDOW: Final = 2_500

#: Stands for the device in a round's payload; as long as a stream.
_STREAM: Final = "f" * 16

_ack = msgspec.json.Decoder(Ack)


def payload(seconds: int, number: int, start_us: int) -> bytes:
    """The uncompressed payload of round ``number`` for the device ``_STREAM``."""
    first = number * seconds
    times = array("q", range(start_us + first * 10**6, start_us + (first + seconds) * 10**6, 10**6))
    values = random.Random(number)
    runs = [
        Run(f"series-{at}", times, array("d", (round(values.gauss(20, 3), 2) for _ in times)))
        for at in range(SERIES)
    ]
    header = Header(_STREAM, first * SERIES + 1, "boot", "synced", {}, False)
    return zstandard.decompress(encode(runs, header))


class Fleet:
    """All devices of the process."""

    def __init__(self, port: int, devices: int) -> None:
        self._topics = [f"headrace/v1/device-{number}/data/arrow" for number in range(devices)]
        self._streams = [f"{number:016x}".encode() for number in range(devices)]
        self._sock = socket.create_connection(("127.0.0.1", port))
        self._sock.sendall(mqtt5.ConnectPacket("fleet", clean_start=True, keep_alive=0).write())
        self._sock.recv(1_000)
        acks = mqtt5.TopicFilter("headrace/v1/+/ack", max_qos=QoS.AT_MOST_ONCE)
        self._sock.sendall(mqtt5.SubscribePacket(1, [acks]).write())
        self._sock.recv(1_000)
        self._unread = b""
        self._packet_id = 0
        self.sent = 0
        self.acked = 0

    def send_round(self, plain: bytes, rows: int) -> None:
        """A batch of every device."""
        most = _WINDOW * rows
        for packet in self._packets(plain):
            while self.sent - self.acked >= most:
                self._receive(wait_s=60.0)
            self._sock.sendall(packet)
            self.sent += rows
            self._receive(wait_s=0.0)

    def drain(self) -> None:
        """Until all that was sent is acknowledged."""
        while self.acked < self.sent:
            self._receive(wait_s=60.0)

    def _packets(self, plain: bytes) -> Iterator[bytes]:
        compress = zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress
        before, after = plain.split(_STREAM.encode(), 1)
        for topic, stream in zip(self._topics, self._streams, strict=True):
            self._packet_id = self._packet_id % 65_535 + 1
            yield PublishPacket(
                topic, compress(before + stream + after), qos=QoS.AT_LEAST_ONCE,
                packet_id=self._packet_id,
            ).write()  # fmt: skip

    def _receive(self, *, wait_s: float) -> None:
        if not select.select([self._sock], [], [], wait_s)[0]:
            assert not wait_s, "no ack for a minute"
            return
        unread = memoryview(self._unread + self._sock.recv(1 << 18))
        at = 0
        while at < len(unread):
            try:
                packet, used = mqtt5.read(unread[at:])
            except IndexError:
                break
            at += used
            if type(packet) is PublishPacket:
                ranges = _ack.decode(packet.payload).ranges
                self.acked += sum(last - first + 1 for first, last in ranges)
        self._unread = bytes(unread[at:])


def main() -> None:
    port, devices, seconds, rounds = map(int, sys.argv[1:5])
    fleet = Fleet(port, devices)
    start_us = (time.time_ns() // 10**9 - rounds * seconds) * 10**6
    for number in range(rounds):
        fleet.send_round(payload(seconds, number, start_us), seconds * SERIES)
        print(fleet.acked, flush=True)
    fleet.drain()
    print(fleet.acked, flush=True)


if __name__ == "__main__":
    main()
