"""What to send next, and what may be forgotten: rules without sockets, clocks or chance.

A pack goes out when there is room in the window, and again when its ack is overdue or the connection
was lost; it leaves by the gateway's ack (on the gateway's disk) or nack (kept in its quarantine), not
by the broker's PUBACK. ``now`` is in milliseconds and ``jitter`` gives 0 to 1: both are arguments.
Packs are built again from the ring for a resend, so memory holds positions and one payload.
"""

import binascii
import json

import hr_senml


class Flight:
    """A pack that was sent and not answered."""

    def __init__(self, position, batch):
        self.position = position
        self.stream, self.first, rows, _, self.after = batch
        self.count = len(rows)
        self.crc = 0
        self.due = 0
        self.done = False


class Uplink:
    """The rules for one ring."""

    def __init__(
        self, ring, clock, jitter, prefix="", window=4, pack_readings=32, ack_timeout_ms=30000
    ):
        self.ring = ring
        self.clock = clock
        self.refused = 0  # readings that the gateway keeps in quarantine
        self.last_refusal = ""
        self.is_connected = False
        self._jitter = jitter
        self._prefix = prefix
        self._window = window
        self._pack_readings = pack_readings
        self._ack_timeout_ms = ack_timeout_ms
        self._flights = []
        self._failures = 0

    def connected(self):
        """Subscribed: everything in flight is due at once."""
        self.is_connected = True
        for flight in self._flights:
            flight.due = 0

    def disconnected(self):
        """Milliseconds to wait before the next attempt: full jitter, up to a minute."""
        self.is_connected = False
        longest = min(60000, 500 << min(self._failures, 7))
        self._failures += 1
        return int(self._jitter() * longest)

    def next_payload(self, now):
        """A payload to publish now, or None. To be asked until it gives None."""
        if not self.is_connected:
            return None
        self._settle()
        for flight in self._flights:
            if not flight.done and flight.due <= now:
                return self._send(flight, now)
        if len(self._flights) >= self._window:
            return None
        position = self._flights[-1].after if self._flights else self.ring.tail()
        batch = self.ring.read(position, self._pack_readings)
        if batch is None:
            return None
        self._flights.append(Flight(position, batch))
        return self._send(self._flights[-1], now)

    def on_ack(self, payload):
        """These numbers are on the gateway's disk."""
        ack = document(payload)
        for first, last in ranges_of(ack):
            for flight in self._flights:
                whole = first <= flight.first and flight.first + flight.count - 1 <= last
                if whole and flight.stream == ack["stream"]:
                    flight.done = True
                    self._failures = 0
        self._settle()

    def on_nack(self, payload):
        """A payload was refused for good: the one of that checksum."""
        nack = document(payload)
        for flight in self._flights:
            if not flight.done and flight.crc == crc_of(nack):
                flight.done = True
                self.refused += flight.count
                self.last_refusal = nack["reason"]
        self._settle()

    def idle(self):
        """Whether everything is acknowledged."""
        return not self.ring.waiting()

    def _settle(self):
        """Release what is answered from the oldest on; forget flights that a full ring dropped."""
        tail = self.ring.tail()
        self._flights = [flight for flight in self._flights if flight.position >= tail]
        while self._flights and self._flights[0].done:
            self.ring.release(self._flights.pop(0).after)

    def _send(self, flight, now):
        batch = self.ring.read(flight.position, flight.count)
        if batch is None or batch[1] != flight.first:
            flight.done = True  # flash does not give it back; the ring has counted it
            return self.next_payload(now)
        payload = self._pack(flight, batch)
        flight.crc = binascii.crc32(payload)
        flight.due = now + self._ack_timeout_ms + int(self._jitter() * 2000)
        return payload

    def _pack(self, flight, batch):
        """The readings as they travel now; cut where known and unknown times meet."""
        readings = []
        stream, first, rows, series, after = batch
        for index, time_us, synced, mantissa in rows:
            absolute, sent_us = self.clock.sent_time(time_us, synced)
            if readings and readings[0][2] != absolute:
                break
            name, unit, decimals = series[index]
            readings.append((name, unit, absolute, sent_us, mantissa, decimals))
        flight.count = len(readings)
        flight.after = (after[0], after[1] - len(rows) + len(readings))
        return hr_senml.pack(stream, first, readings, self._prefix)


def document(payload):
    """A JSON object; empty when it is none."""
    try:
        found = json.loads(payload)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def ranges_of(ack):
    """The ranges of an ack; none of them when one is not a pair of numbers."""
    found = ack.get("ranges", [])
    if not isinstance(ack.get("stream"), str) or not isinstance(found, list):
        return []
    return found if all(_is_pair(pair) for pair in found) else []


def crc_of(nack):
    """The checksum of the payload that a nack refuses; None when it is no nack."""
    crc = nack.get("crc")
    return crc if isinstance(nack.get("reason"), str) and type(crc) is int else None


def _is_pair(pair):
    return isinstance(pair, list) and len(pair) == 2 and all(type(n) is int for n in pair)
