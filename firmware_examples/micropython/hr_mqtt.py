"""The part of MQTT 3.1.1 that a sensor needs, over TCP or TLS: 150 lines, bounded memory.

QoS 1 out (a PUBACK is taken and not waited for: only the gateway's ack frees a reading), QoS 1 in,
clean session, last will, keep-alive. A packet larger than ``MAX_PACKET`` is read past and dropped.
Whatever is wrong with the connection is an OSError; the caller closes and connects again.
"""

import select
import socket
import struct
import time

MAX_PACKET = 2048
_TIMEOUT_MS = 10000

_CONNACK, _PUBLISH, _PUBACK, _SUBACK, _PINGRESP = 2, 3, 4, 9, 13


class Mqtt:
    """One connection to a broker."""

    def __init__(self, host, port, client_id, keepalive_s=60, tls=None, user="", password=""):
        self._address = (host, port)
        self._client_id = client_id
        self._keepalive_s = keepalive_s
        self._tls = tls  # an ssl.SSLContext, or None
        self._user, self._password = user, password
        self._socket = None
        self._buffer = b""
        self._skip = 0
        self._packet_id = 0
        self._last_sent = self._last_heard = 0

    def connect(self, will_topic, will):
        """Open, say who we are, leave a last will; OSError when any of it fails."""
        self.close()
        address = socket.getaddrinfo(self._address[0], self._address[1])[0][-1]
        plain = socket.socket()
        self._socket = plain
        plain.settimeout(_TIMEOUT_MS / 1000)
        plain.connect(address)
        if self._tls is not None:
            try:
                self._socket = self._tls.wrap_socket(plain, server_hostname=self._address[0])
            except ValueError as error:  # what MicroPython makes of a certificate it does not trust
                # No "from": MicroPython does not chain exceptions, and says so on every one.
                raise OSError("broker's certificate: " + str(error).strip())  # noqa: B904
        self._socket.setblocking(False)
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)
        self._buffer, self._skip = b"", 0
        self._last_heard = time.ticks_ms()
        flags = 0x02 | 0x04 | 0x08 | 0x20  # clean session, will, will QoS 1, will retained
        body = _text(self._client_id) + _text(will_topic) + _text(will)
        if self._user:
            flags |= 0xC0
            body += _text(self._user) + _text(self._password)
        head = b"\x00\x04MQTT\x04" + bytes([flags]) + struct.pack(">H", self._keepalive_s)
        self._send(0x10, head + body)
        answer = self._wait_for(_CONNACK)
        if len(answer) != 2 or answer[1] != 0:
            raise OSError("broker refuses the connection: code %d" % answer[-1])

    def subscribe(self, topics):
        """Subscribe with QoS 1 and wait for the broker's word."""
        packet_id = self._next_id()
        body = struct.pack(">H", packet_id)
        for topic in topics:
            body += _text(topic) + b"\x01"
        self._send(0x82, body)
        if 0x80 in self._wait_for(_SUBACK)[2:]:
            raise OSError("broker refuses a subscription")

    def publish(self, topic, payload, retain=False):
        """Publish with QoS 1; returns when the network stack has it."""
        packet_id = struct.pack(">H", self._next_id())
        self._send(0x33 if retain else 0x32, _text(topic) + packet_id + payload)

    def receive(self, wait_ms):
        """A message as (topic, payload), or None after ``wait_ms``; keeps the connection alive."""
        deadline = time.ticks_add(time.ticks_ms(), wait_ms)
        while True:
            self._keep_alive()
            packet = self._packet()
            if packet is not None:
                message = self._handle(packet[0], packet[1])
                if message is not None:
                    return message
                continue
            left = time.ticks_diff(deadline, time.ticks_ms())
            if not self._fill(max(0, left)) and left <= 0:
                return None

    def close(self):
        """Drop the connection without a word: the broker publishes the last will."""
        if self._socket is not None:
            try:
                self._socket.close()
            except OSError:
                pass  # it was broken already
        self._socket = None

    # --- packets ----------------------------------------------------------------------------------

    def _handle(self, first, body):
        if first >> 4 != _PUBLISH:
            return None  # PUBACK, PINGRESP: that they came is what counts
        length = struct.unpack(">H", body[:2])[0]
        topic, rest = body[2 : 2 + length].decode(), body[2 + length :]
        if first & 0x06:
            self._send(0x40, rest[:2])
            rest = rest[2:]
        return topic, rest

    def _wait_for(self, kind):
        deadline = time.ticks_add(time.ticks_ms(), _TIMEOUT_MS)
        while time.ticks_diff(deadline, time.ticks_ms()) > 0:
            packet = self._packet()
            if packet is None:
                self._fill(200)
            elif packet[0] >> 4 == kind:
                return packet[1]
        raise OSError("broker does not answer")

    def _packet(self):
        """(first byte, body) of the next whole packet in the buffer, or None."""
        if self._skip:
            skipped = min(self._skip, len(self._buffer))
            self._buffer, self._skip = self._buffer[skipped:], self._skip - skipped
        length, shift, at = 0, 0, 1
        while True:
            if at >= len(self._buffer):
                return None
            length |= (self._buffer[at] & 0x7F) << shift
            shift += 7
            at += 1
            if not self._buffer[at - 1] & 0x80:
                break
            if shift > 21:
                raise OSError("broker sends a broken packet")
        if length > MAX_PACKET:
            self._skip = at + length
            return 0, b""
        if len(self._buffer) < at + length:
            return None
        packet = self._buffer[0], self._buffer[at : at + length]
        self._buffer = self._buffer[at + length :]
        return packet

    def _fill(self, wait_ms):
        """Read what has come; False when nothing has."""
        self._poll.poll(wait_ms)
        data = self._socket.read(512)
        if data is None:
            return False
        if not data:
            raise OSError("broker has closed the connection")
        self._buffer += data
        self._last_heard = time.ticks_ms()
        return True

    def _send(self, first, body):
        head = bytearray([first])
        length = len(body)
        while True:
            head.append(length & 0x7F | (0x80 if length > 0x7F else 0))
            length >>= 7
            if not length:
                break
        self._write(bytes(head) + body)
        self._last_sent = time.ticks_ms()

    def _write(self, data):
        deadline = time.ticks_add(time.ticks_ms(), _TIMEOUT_MS)
        while data:
            written = self._socket.write(data)
            data = data[written or 0 :]
            if data and time.ticks_diff(deadline, time.ticks_ms()) < 0:
                raise OSError("broker does not take what we send")
            if data:
                self._poll.modify(self._socket, select.POLLOUT)
                self._poll.poll(100)
                self._poll.modify(self._socket, select.POLLIN)

    def _keep_alive(self):
        now, period = time.ticks_ms(), self._keepalive_s * 1000
        if time.ticks_diff(now, self._last_heard) > period + period // 2:
            raise OSError("nothing heard from the broker")
        if time.ticks_diff(now, self._last_sent) > period // 2:
            self._send(0xC0, b"")

    def _next_id(self):
        self._packet_id = self._packet_id % 65535 + 1
        return self._packet_id


def _text(value):
    data = value.encode() if isinstance(value, str) else value
    return struct.pack(">H", len(data)) + data
