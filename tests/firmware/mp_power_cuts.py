"""Runs in MicroPython: the ring on a real littlefs whose chip loses power after every block operation.

micropython mp_power_cuts.py <folder of the firmware>
"""

import gc
import sys

import vfs

sys.path.insert(0, sys.argv[1])

from hr_ring import Ring

BLOCK = 4096
BLOCKS = 32
SERIES = [["count", "", 0]]
READINGS = 60


class Chip:
    """Flash in memory; ``budget`` block operations until the power fails.

    What a dead program still holds open is closed by the garbage collector at some time: by then the
    chip is dead too, and says so without needing memory.
    """

    def __init__(self, data=None):
        self.data = bytearray(data or b"\xff" * BLOCK * BLOCKS)
        self.dead = False
        self.budget = -1
        self.erased = 0
        self.programmed = 0

    def power_off(self):
        """The same flash in a chip that is on."""
        self.dead = True
        return Chip(self.data)

    def _spend(self):
        self.dead = self.dead or self.budget == 0
        self.budget -= 1
        return not self.dead

    def readblocks(self, block, buffer, offset=0):
        """Part of a block."""
        if self.dead:
            return -5
        start = block * BLOCK + offset
        buffer[:] = self.data[start : start + len(buffer)]
        return 0

    def writeblocks(self, block, buffer, offset=0):
        """Program a part of a block, torn in the middle when the power fails."""
        if self.dead:
            return -5
        whole = self._spend()
        length = len(buffer) if whole else len(buffer) // 2
        start = block * BLOCK + offset
        self.data[start : start + length] = buffer[:length]
        self.programmed += length
        return 0 if whole else -5

    def ioctl(self, what, argument):
        """Count, size and erasing of blocks."""
        if what == 4:
            return BLOCKS
        if what == 5:
            return BLOCK
        if what == 6:
            if self.dead or not self._spend():
                return -5
            self.erased += 1
            self.data[argument * BLOCK : argument * BLOCK + BLOCK] = b"\xff" * BLOCK
        return 0


def mount(chip):
    """The file system as after power-on."""
    try:
        vfs.umount("/flash")
    except OSError:
        pass
    vfs.mount(vfs.VfsLfs2(chip, readsize=32, progsize=32, lookahead=32), "/flash")


def make_ring():
    """Small files, so that rotation is part of it."""
    return Ring("/flash/ring", SERIES, segments=8, segment_readings=16)


def deliver(ring, seen):
    """What the gateway would see; a number that comes back with another value is the end."""
    position = ring.tail()
    while True:
        batch = ring.read(position, 8)
        if batch is None:
            return position
        stream, first, rows, _, position = batch
        for index, row in enumerate(rows):
            name = (stream, first + index)
            assert seen.setdefault(name, row[3]) == row[3], name


def live(chip, kept, seen):
    """Sample until the power fails, or to the end."""
    try:
        ring = make_ring()
        for value in range(len(kept) + 1, READINGS + 1):
            kept.append(False)
            kept[-1] = ring.append([(0, value, True, value)])
            if value % 10 == 0:
                position = deliver(ring, seen)
                if not chip.dead:
                    ring.release(position)
    except OSError:
        pass


def story(budget):
    """One power cut, then a life without; True when there was one."""
    chip = Chip()
    vfs.VfsLfs2.mkfs(chip, readsize=32, progsize=32, lookahead=32)
    kept, seen = [], {}
    mount(chip)
    chip.budget = budget
    live(chip, kept, seen)
    failed = chip.dead
    for _ in range(2):  # go on, and once more for what the last life left
        chip = chip.power_off()
        mount(chip)
        live(chip, kept, seen)
    deliver(make_ring(), seen)
    chip.dead = True
    arrived = set(seen.values())
    lost = [value for value in range(1, READINGS + 1) if kept[value - 1] and value not in arrived]
    assert not lost, (budget, lost)
    assert len({stream for stream, _ in seen}) <= 2, (budget, seen)
    return failed


def wear():
    """Erased blocks and programmed bytes per write, over ten files."""
    chip = Chip()
    vfs.VfsLfs2.mkfs(chip, readsize=32, progsize=32, lookahead=32)
    mount(chip)
    ring = Ring("/flash/ring", SERIES, segments=8, segment_readings=250)
    chip.erased = chip.programmed = 0
    for value in range(2500):
        ring.append([(0, value, True, value)])
    chip.dead = True
    return chip.erased / 2500, chip.programmed / 2500


if __name__ == "__main__":
    cuts = 0
    while story(cuts):
        cuts += 1
        gc.collect()
    print(
        "power cut after each of",
        cuts,
        "block operations; %.2f erased blocks and %d bytes per write" % wear(),
    )
