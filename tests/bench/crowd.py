"""A crowd of small devices: one thread, one socket each, one SenML reading a message, QoS 1.

Run as a process of its own: ``python -m tests.bench.crowd PORT DEVICES MESSAGES_EACH WINDOW``. Each device
numbers its readings, keeps at most WINDOW of them unacknowledged, and is done when the gateway's acks
(not the broker's) cover all of them. It does what firmware does, with as little Python as possible, so
that the machine is left to broker and gateway. Prints JSON: messages, seconds, latencies in ms.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time
from dataclasses import dataclass, field

import mqtt5
import msgspec
from mqtt5 import PublishPacket, QoS

from headrace.wire import Ack

_ack = msgspec.json.Decoder(Ack)


@dataclass(slots=True)
class Device:
    """One connection; ``acked`` counts readings from the first without holes."""

    name: str
    sock: socket.socket
    stream: str
    sent: int = 0
    acked: int = 0
    unread: bytes = b""
    sent_at: dict[int, float] = field(default_factory=dict)


class Crowd:
    """All devices of the process."""

    def __init__(self, port: int, devices: int, each: int, window: int) -> None:
        self._each = each
        self._window = window
        self._poll = select.epoll()
        self._devices: dict[int, Device] = {}
        self.latencies: list[float] = []
        for number in range(devices):
            device = self._connect(port, number)
            self._devices[device.sock.fileno()] = device

    def _connect(self, port: int, number: int) -> Device:
        name = f"small-{number}"
        sock = socket.create_connection(("127.0.0.1", port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(mqtt5.ConnectPacket(name, clean_start=True, keep_alive=600).write())
        sock.recv(1_000)
        ack = mqtt5.TopicFilter(f"headrace/v1/{name}/ack", max_qos=QoS.AT_MOST_ONCE)
        sock.sendall(mqtt5.SubscribePacket(1, [ack]).write())
        sock.recv(1_000)
        sock.setblocking(False)
        self._poll.register(sock.fileno(), select.EPOLLIN)
        return Device(name, sock, f"{number:016x}")

    def run(self) -> float:
        """Send everything; the seconds until the last ack."""
        started = time.perf_counter()
        for device in self._devices.values():
            self._send(device)
        left = len(self._devices)
        while left:
            for number, _ in self._poll.poll(1.0):
                device = self._devices[number]
                before = device.acked
                self._receive(device)
                if device.acked == before:
                    continue
                if device.acked == self._each:
                    left -= 1
                else:
                    self._send(device)
        return time.perf_counter() - started

    def _send(self, device: Device) -> None:
        packets = []
        end = min(self._each, device.acked + self._window)
        now = time.perf_counter()
        topic = f"headrace/v1/{device.name}/data/senml-json"
        for seq in range(device.sent + 1, end + 1):
            payload = b'[{"n":"temperature","u":"Cel","v":%d.%02d,"t":%d.%03d,"stream":"%b","seq":%d}]' % (
                seq % 40, seq % 100, 1_790_000_000 + seq // 1_000, seq % 1_000, device.stream.encode(), seq,
            )  # fmt: skip
            packet_id = (seq - 1) % 65_535 + 1
            packets.append(
                PublishPacket(topic, payload, qos=QoS.AT_LEAST_ONCE, packet_id=packet_id).write()
            )
        device.sent = end
        if packets:
            device.sent_at[end] = now
            # One packet a write, as separate readings leave a device.
            for packet in packets:
                device.sock.sendall(packet)

    def _receive(self, device: Device) -> None:
        unread = memoryview(device.unread + device.sock.recv(65_536))
        at = 0
        while at < len(unread):
            try:
                packet, used = mqtt5.read(unread[at:])
            except IndexError:
                break
            at += used
            if type(packet) is PublishPacket:
                self._acknowledged(device, _ack.decode(packet.payload))
        device.unread = bytes(unread[at:])

    def _acknowledged(self, device: Device, ack: Ack) -> None:
        now = time.perf_counter()
        for first, last in ack.ranges:
            if first <= device.acked + 1 <= last:
                device.acked = last
        for seq in [seq for seq in device.sent_at if seq <= device.acked]:
            self.latencies.append(now - device.sent_at.pop(seq))


def main() -> None:
    port, devices, each, window = map(int, sys.argv[1:5])
    crowd = Crowd(port, devices, each, window)
    print("ready", flush=True)
    sys.stdin.readline()
    before = time.process_time()
    seconds = crowd.run()
    found = sorted(crowd.latencies)
    print(
        json.dumps(
            {
                "messages": devices * each,
                "seconds": seconds,
                "cpu_s": time.process_time() - before,
                "p50_ms": 1_000 * found[len(found) // 2],
                "p99_ms": 1_000 * found[len(found) * 99 // 100],
            }
        )
    )


if __name__ == "__main__":
    main()
