"""A ring of readings in flash: bounded, safe against power cuts at any instant.

A folder of segment files ``<generation>.hrs``, each written front to back and never changed::

    header   "HRS1" | stream, 8 bytes | first seq, u64 | length, u16 | series as JSON | CRC-32
    record   time in us, i64 | mantissa, i32 | series, u8 | flags, u8 | CRC-16        (16 bytes)

Invariants:

- A reading has a number as soon as ``append`` returns, and is on flash by then: only what is on
  flash is ever sent, so a number is never given twice to different readings.
- The newest segment is never deleted; it says where to go on after a restart.
- Where a start finds anything torn or damaged it goes on in a *new stream*, numbered from 1: a torn
  record may or may not have been sent, and a new stream is right in both cases. Nothing that is whole
  is lost by that.
- A full ring drops its oldest segment; what it held unacknowledged is counted, and the gateway names
  the hole.

Acknowledgements are not written down (flash wears): after a restart what is still in the ring is
sent again, and the gateway knows it already.
"""

import binascii
import json
import os
import struct

_MAGIC = b"HRS1"
_HEAD = "<4s8sQH"
_HEAD_BYTES = struct.calcsize(_HEAD)
_RECORD = "<qiBB"
_RECORD_BYTES = 16
_SYNCED = 1


class Segment:
    """What memory knows of one file."""

    def __init__(self, generation, stream, first_seq, series, start):
        self.generation = generation
        self.stream = stream
        self.first_seq = first_seq
        self.series = series
        self.start = start  # of the first record in the file
        self.count = 0


class Ring:
    """Readings of one device; one writer."""

    def __init__(self, folder, series, segments=16, segment_readings=250):
        """Open or make the ring.

        Args:
            folder: for the files; made when missing.
            series: list of [name, unit, decimals]; a reading refers to its index.
            segments: bound on files.
            segment_readings: bound on readings in a file; 250 fit into a 4 KiB block.
        """
        self.folder = folder
        self.series = series
        self.max_segments = max(2, segments)
        self.segment_readings = segment_readings
        self.dropped = 0  # unacknowledged readings that a full ring gave up
        self.damaged = 0  # readings that flash did not give back
        self.failed = 0  # readings that flash did not take
        self.newest_local_us = 0  # newest time of the unsynced clock, for the next boot
        self._file = None
        self._tail = (0, 0)  # generation and index of the oldest unacknowledged reading
        self._segments = []
        self._recover()

    # --- writing ----------------------------------------------------------------------------------

    def append(self, rows):
        """Keep readings of one poll: (series index, time in us, synced, mantissa). False: flash full."""
        newest = self._segments[-1] if self._segments else None
        if newest is None or self._file is None or newest.count >= self.segment_readings:
            if not self._open_next():
                self.failed += len(rows)
                return False
            newest = self._segments[-1]
        try:
            self._file.write(b"".join([_record(row) for row in rows]))
            self._file.flush()
        except OSError:
            self._close()  # how much of it is there is not known: see the next append
            self._stream = None
            self.failed += len(rows)
            return False
        newest.count += len(rows)
        return True

    def _open_next(self):
        """A new segment behind the newest; drops the oldest when there are too many."""
        self._close()
        newest = self._segments[-1] if self._segments else None
        if self._stream is None or newest is None:
            self._stream, first = os.urandom(8), 1
        else:
            first = newest.first_seq + newest.count
        while len(self._segments) >= self.max_segments:
            self._drop_oldest()
        made = self._write_header(self._generation + 1, first)
        if not made and len(self._segments) > 1:
            self._drop_oldest()  # flash is full before the ring is: make room once
            made = self._write_header(self._generation + 1, first)
        return made

    def _write_header(self, generation, first):
        names = json.dumps(self.series).encode()
        head = struct.pack(_HEAD, _MAGIC, self._stream, first, len(names)) + names
        head += struct.pack("<I", binascii.crc32(head))
        self._generation = generation
        try:
            self._file = open(self._path(generation), "wb")
            self._file.write(head)
            self._file.flush()
        except OSError:
            self._close()
            _remove(self._path(generation))
            return False
        self._segments.append(Segment(generation, self._stream, first, self.series, len(head)))
        return True

    def _close(self):
        if self._file is not None:
            try:
                self._file.close()
            except OSError:
                self._stream = None
        self._file = None

    # --- reading ----------------------------------------------------------------------------------

    def tail(self):
        """The position of the oldest unacknowledged reading."""
        return self._tail

    def read(self, position, limit):
        """Up to ``limit`` readings of one segment from ``position`` on.

        Returns (stream, first seq, rows, series table, next position), or None at the end.
        """
        for segment in self._segments:
            generation, index = position
            if segment.generation < generation:
                continue
            if segment.generation > generation:
                position = (segment.generation, 0)
                index = 0
            count = min(limit, segment.count - index)
            if count <= 0:
                continue
            rows = self._rows(segment, index, count)
            if not rows:
                self._give_up(segment, index)
                continue
            after = (segment.generation, index + len(rows))
            stream = binascii.hexlify(segment.stream).decode()
            return stream, segment.first_seq + index, rows, segment.series, after
        return None

    def release(self, position):
        """Everything before ``position`` is acknowledged; whole segments before it are deleted."""
        self._tail = max(self._tail, position)
        while len(self._segments) > 1:
            oldest = self._segments[0]
            if self._tail < (oldest.generation, oldest.count):
                return
            self._delete_oldest()

    def waiting(self):
        """How many readings are not acknowledged."""
        return sum([self._unacknowledged(segment) for segment in self._segments])

    def stream(self):
        """The present stream as 16 hex digits; empty before the first reading."""
        return binascii.hexlify(self._stream).decode() if self._stream else ""

    def sampled(self):
        """How many readings the present stream has numbered."""
        newest = self._segments[-1] if self._segments else None
        return newest.first_seq + newest.count - 1 if newest else 0

    def _unacknowledged(self, segment):
        generation, index = self._tail
        if segment.generation < generation:
            return 0
        return segment.count - (index if segment.generation == generation else 0)

    def _rows(self, segment, index, count):
        try:
            with open(self._path(segment.generation), "rb") as file:
                file.seek(segment.start + index * _RECORD_BYTES)
                return _whole(file.read(count * _RECORD_BYTES), len(segment.series))
        except OSError:
            return []

    def _give_up(self, segment, index):
        """Flash does not give back what it took: the rest of this segment is lost, and counted."""
        self.damaged += segment.count - index
        if segment is self._segments[-1]:
            self._close()
            self._stream = None  # its numbers may have been sent
        segment.count = index

    def _drop_oldest(self):
        self.dropped += self._unacknowledged(self._segments[0])
        self._delete_oldest()
        self._tail = max(self._tail, (self._segments[0].generation, 0))

    def _delete_oldest(self):
        _remove(self._path(self._segments.pop(0).generation))

    # --- starting ---------------------------------------------------------------------------------

    def _recover(self):
        try:
            os.mkdir(self.folder)
        except OSError:
            pass  # it is there; if it cannot be, listdir below says so
        self._generation = 0
        self._stream = None
        broken = []
        intact = True  # the newest segment, as far as is known
        for name in sorted([name for name in os.listdir(self.folder) if name.endswith(".hrs")]):
            self._generation = max(self._generation, int(name[:-4], 16))
            path = self.folder + "/" + name
            whole = self._load(path)
            if whole is None:
                broken.append(path)
            else:
                intact = whole
        if self._segments and intact and not broken:
            self._resume(self._segments[-1])
        elif self._segments or broken:
            self._open_next()  # the new stream stands before the traces of the damage go
            for path in broken:
                _remove(path)

    def _resume(self, newest):
        """Go on where the last boot stopped: behind the newest segment, in its stream."""
        self._stream = newest.stream
        if newest.count < self.segment_readings and newest.series == self.series:
            try:
                self._file = open(self._path(newest.generation), "ab")
            except OSError:
                self._stream = None

    def _load(self, path):
        """Take a segment in: True when it is whole, False when records are not, None without a header."""
        with open(path, "rb") as file:
            segment = _header(file, self._generation)
            if segment is None:
                return None
            if segment.series == self.series:
                segment.series = self.series  # one copy in memory
            self._segments.append(segment)
            while True:
                data = file.read(64 * _RECORD_BYTES)
                rows = _whole(data, len(segment.series))
                segment.count += len(rows)
                for _, time_us, synced, _ in rows:
                    if not synced:
                        self.newest_local_us = max(self.newest_local_us, time_us)
                if len(rows) * _RECORD_BYTES < len(data):
                    return False
                if not data:
                    return True

    def _path(self, generation):
        return "%s/%08x.hrs" % (self.folder, generation)


def _record(row):
    series, time_us, synced, mantissa = row
    body = struct.pack(_RECORD, time_us, mantissa, series, _SYNCED if synced else 0)
    return body + struct.pack("<H", binascii.crc32(body) & 0xFFFF)


def _whole(data, series_count):
    """Records up to the first that is torn, damaged or of a series that there is not."""
    rows = []
    for at in range(0, len(data) - _RECORD_BYTES + 1, _RECORD_BYTES):
        body = data[at : at + _RECORD_BYTES - 2]
        (crc,) = struct.unpack("<H", data[at + _RECORD_BYTES - 2 : at + _RECORD_BYTES])
        time_us, mantissa, series, flags = struct.unpack(_RECORD, body)
        if crc != binascii.crc32(body) & 0xFFFF or series >= series_count:
            break
        rows.append((series, time_us, bool(flags & _SYNCED), mantissa))
    return rows


def _header(file, generation):
    head = file.read(_HEAD_BYTES)
    if len(head) < _HEAD_BYTES:
        return None
    magic, stream, first_seq, length = struct.unpack(_HEAD, head)
    names = file.read(length)
    crc = file.read(4)
    if magic != _MAGIC or len(crc) < 4 or crc != struct.pack("<I", binascii.crc32(head + names)):
        return None
    return Segment(generation, stream, first_seq, json.loads(names), _HEAD_BYTES + length + 4)


def _remove(path):
    try:
        os.remove(path)
    except OSError:
        pass  # gone already, or flash is read-only: the next write says so
