"""Runs in MicroPython: the firmware with a sensor that counts, and a book of what it sampled.

micropython mp_device.py <folder of the firmware> <settings.json> <ledger> <file that ends sampling>
"""

import json
import os
import sys

sys.path.insert(0, sys.argv[1])

from hr_device import Device
from main import tls_context

SERIES = [["count", "", 0], ["temperature", "Cel", 2]]


def exists(path):
    """Whether there is such a file."""
    try:
        os.stat(path)
    except OSError:
        return False
    return True


class Sensor:
    """Gives two readings a time: a count, and a hundredth of it."""

    def __init__(self):
        self.count = 0
        self.stopped = False

    def sample(self):
        """Nothing once the test says so."""
        self.stopped = self.stopped or exists(sys.argv[4])
        if self.stopped:
            return []
        self.count += 1
        return [(0, self.count), (1, self.count)]


class Booked(Device):
    """Books every reading once flash has it."""

    def take(self):
        """One round of sensors, with the book's lines behind the ring's."""
        Device.take(self)
        if sensor.stopped:
            return
        last, stream = self.ring.sampled(), self.ring.stream()
        with open(sys.argv[3], "a") as book:
            book.write("%s %d %d .\n" % (stream, last - 1, sensor.count))
            book.write("%s %d %s .\n" % (stream, last, sensor.count / 100))


sensor = Sensor()
with open(sys.argv[2]) as file:
    settings = json.load(file)
device = Booked(settings, SERIES, sensor.sample, tls_context(settings["tls"]))
device.run(lambda device: sensor.stopped and device.uplink.idle())
print("done", json.dumps(device.state()))
