"""A device: sensors into the ring, the ring to the gateway, for ever.

One loop, one thread. Reading the sensors comes first in each round; everything that has to do with
the network may fail at any time and is tried again after a growing, jittered pause. Only connecting
holds up the sensors (Wi-Fi 8 s, broker 10 s at most): a round that comes late is taken once, not
caught up.
"""

import binascii
import json
import os
import time

from hr_clock import Clock
from hr_mqtt import Mqtt
from hr_ring import Ring
from hr_uplink import Uplink

VERSION = "micropython-1"
_STATE_EVERY_MS = 30000


def jitter():
    """A random number from 0 to 1."""
    return int.from_bytes(os.urandom(2), "big") / 65535


class Device:
    """One board.

    Args:
        settings: what stands in settings.json.
        series: list of [name, unit, decimals].
        sample: gives [(series index, mantissa), …] when called.
        tls: an ssl.SSLContext, or None.
        before_connect: called before each attempt: bring up Wi-Fi, ask NTP; gives microseconds
            since 1970 UTC, or None where the time is not known.
    """

    def __init__(self, settings, series, sample, tls=None, before_connect=lambda: None):
        self.settings = settings
        self.ring = Ring(settings["ring"], series, settings["segments"])
        self.clock = Clock(self.ring.newest_local_us)
        self.uplink = Uplink(
            self.ring, self.clock, jitter, settings["prefix"],
            ack_timeout_ms=settings["ack_timeout_ms"],
        )  # fmt: skip
        self._sample = sample
        self._held = []  # rows of rounds that are not in flash yet
        self._rounds = 0
        self._before_connect = before_connect
        self._boot = binascii.hexlify(os.urandom(8)).decode()
        self._topic = settings["root"] + "/" + settings["device"] + "/"
        self._mqtt = Mqtt(
            settings["host"], settings["port"], "headrace-" + settings["device"],
            keepalive_s=settings["keepalive_s"], tls=tls,
            user=settings["user"], password=settings["password"],
        )  # fmt: skip
        now = time.ticks_ms()
        self._sample_at = self._connect_at = self._state_at = now

    def run(self, until=lambda device: False):
        """Work until ``until`` says so; on a board, for ever."""
        while not until(self):
            self.step()

    def step(self):
        """One round: sensors, network, at most one message."""
        now = time.ticks_ms()
        if time.ticks_diff(now, self._sample_at) >= 0:
            late = time.ticks_diff(now, self._sample_at) > self.settings["sample_ms"]
            due = now if late else self._sample_at
            self._sample_at = time.ticks_add(due, self.settings["sample_ms"])
            self.take()
        try:
            self._network(now)
        except OSError as error:
            self._lost(error)

    def take(self):
        """Read the sensors once; every ``write_every`` rounds, put what they said into flash."""
        time_us, synced = self.clock.now()
        self._held += [(index, time_us, synced, mantissa) for index, mantissa in self._sample()]
        self._rounds += 1
        if self._rounds < self.settings["write_every"]:
            return
        rows, self._held, self._rounds = self._held, [], 0
        if rows and not self.ring.append(rows):
            print("flash does not take readings:", self.ring.failed, "lost")

    def _network(self, now):
        wait = max(0, min(200, time.ticks_diff(self._sample_at, now)))
        if not self.uplink.is_connected:
            if time.ticks_diff(now, self._connect_at) < 0:
                time.sleep_ms(min(wait, 50))
                return
            self._connect()
        # The uplink compares times with "<": it gets the clock that does not wrap.
        payload = self.uplink.next_payload(self.clock.local_us() // 1000)
        if payload is not None:
            self._mqtt.publish(self._topic + "data/senml-json", payload)
            wait = 0
        if time.ticks_diff(now, self._state_at) >= 0:
            self._publish_state(now)
        self._take_message(self._mqtt.receive(wait))

    def _connect(self):
        utc_us = self._before_connect()
        if utc_us is not None:
            self.clock.set_utc(utc_us)
        self._mqtt.connect(self._topic + "state", '{"online":false}')
        self._mqtt.subscribe([self._topic + "ack", self._topic + "nack"])
        self.uplink.connected()
        self._state_at = time.ticks_ms()
        print("connected;", self.ring.waiting(), "readings waiting")

    def _lost(self, error):
        self._mqtt.close()
        pause = self.uplink.disconnected()
        self._connect_at = time.ticks_add(time.ticks_ms(), pause)
        print("no connection:", error, "- again in", pause, "ms")

    def _take_message(self, message):
        if message is None:
            return
        topic, payload = message
        if topic == self._topic + "ack":
            self.uplink.on_ack(payload)
        elif topic == self._topic + "nack":
            self.uplink.on_nack(payload)
            print("the gateway refuses readings:", self.uplink.last_refusal)

    def _publish_state(self, now):
        self._state_at = time.ticks_add(now, _STATE_EVERY_MS)
        self._mqtt.publish(self._topic + "state", json.dumps(self.state()).encode(), retain=True)

    def state(self):
        """What the device says of itself."""
        ring = self.ring
        dropped = {"full": ring.dropped, "damaged": ring.damaged, "flash": ring.failed}
        dropped["refused"] = self.uplink.refused
        return {
            "online": True,
            "version": VERSION,
            "boot": self._boot,
            "clock": "synced" if self.clock.synced else "unsynced",
            "stream": ring.stream(),
            "buffered": ring.waiting(),
            "sampled": ring.sampled(),
            "dropped": {reason: count for reason, count in dropped.items() if count},
        }
