"""The file sink: the order in which things reach the disk, so that no reading is lost or doubled.

A delivery:

1. leave out the batches that ``state`` knows already
2. cut the part to the length that ``state`` says, append, fsync
3. replace ``state``: now it is accepted

A part that is large or old enough, at a delivery or in a quiet second:

4. where the format asks for it write the part as a file of that format, fsync
5. rename it into the folder: people see whole files only
6. replace ``state``: there is no part

Dying between 5 and 6 leaves a state whose part is gone, or one that is written once more, under the same
name. Any failure leaves the state as it was, and the batches come again.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence

import numpy as np
from msgspec.structs import replace

from gateway.consumer import Rejected
from gateway.feed import Entry
from gateway.sinks.columns import Columns, gather
from gateway.sinks.file import state as state_
from gateway.sinks.file.config import FileSettings
from gateway.sinks.file.folder import Folder, file_name
from gateway.sinks.file.formats import format_of, make_format
from gateway.sinks.file.state import Delivery, Part, State
from gateway.sinks.port import Sink
from headrace.clock import Clock, SystemClock
from headrace.errors import SinkUnavailable, StorageCorrupt, StorageError
from headrace.models import files

logger = logging.getLogger(__name__)


class FileSink(Sink):
    """Writes readings to files.

    Args:
        site: the column ``site`` of every row.
        clock: for the age of a part.
    """

    def __init__(self, settings: FileSettings, *, site: str, clock: Clock | None = None) -> None:
        self._settings = settings
        self._site = site
        self._clock = clock or SystemClock()
        self._format = make_format(settings)
        self._folder: Folder | None = None
        self._state = State()

    def write(self, entries: Sequence[Entry]) -> Sequence[Rejected]:
        try:
            return self._write(entries)
        except StorageError as error:
            raise SinkUnavailable(error.message, hint=error.hint) from error

    def probe(self) -> str:
        # Not through Folder: a running gateway has it, and holds its lock.
        place = self._settings.folder
        while not place.exists() and place != place.parent:
            place = place.parent
        if not (place.is_dir() and os.access(place, os.W_OK | os.X_OK)):
            raise SinkUnavailable(f"{place}: cannot be written to", hint="check its owner and mode")
        return f"{place} can be written to"

    def idle(self) -> None:
        if self._folder is None or self._state.part is None:
            return
        try:
            self._finish_if_due(self._folder)
        except StorageError as error:
            raise SinkUnavailable(error.message, hint=error.hint) from error
        except OSError as error:
            raise SinkUnavailable(f"{self._settings.folder}: {error}") from error

    def close(self) -> None:
        if self._folder is not None:
            self._folder.close()
            self._folder = None

    def _write(self, entries: Sequence[Entry]) -> Sequence[Rejected]:
        folder = self._open()
        columns, rejected = self._format.writable(gather(entries))
        known = np.array([self._state.has(entry) for entry in columns.entries], np.bool_)
        columns = columns.take(~known[columns.batch])
        if len(columns):
            self._append(folder, columns)
        self._finish_if_due(folder)
        return rejected

    def _open(self) -> Folder:
        """The folder, taken; what the last process left is put in order."""
        if self._folder is None:
            folder = Folder(self._settings.folder)
            try:
                self._state = _recovered(folder, state_.load(folder.state))
            except (StorageError, OSError):
                folder.close()
                raise
            self._folder = folder
        return self._folder

    def _append(self, folder: Folder, columns: Columns) -> None:
        part = self._state.part
        if part is None or not part.name.endswith(self._format.suffix):
            self._finish(folder)
            first = columns.entries[int(columns.batch[0])]
            part = Part(file_name(first, self._format.suffix), self._clock.now_us())
        data = self._format.encode(columns, self._site, first=part.length == 0)
        self._make_room(folder, part.length + len(data))
        folder.append(data, part.length)
        grown = replace(part, length=part.length + len(data))
        self._keep(
            folder,
            self._state.with_delivery(grown, Delivery.of(columns.entries, self._clock.now_us())),
        )

    def _finish_if_due(self, folder: Folder) -> None:
        part = self._state.part
        if part is None:
            return
        age_s = (self._clock.now_us() - part.started_us) / 1e6
        young = 0 <= age_s < self._settings.max_file_age_s  # a clock that was set back ends it, too
        if part.length >= self._settings.max_file_bytes or not young:
            self._finish(folder)

    def _finish(self, folder: Folder) -> None:
        """The part becomes a file."""
        part = self._state.part
        if part is None:
            return
        folder.cut(part.length)
        whole = folder.part
        if format_of(part.name).convert(folder.part, folder.converted):
            whole = folder.converted
            files.sync(whole)
        whole.replace(folder.path / part.name)
        folder.sync()
        self._keep(folder, replace(self._state, part=None))
        folder.part.unlink(missing_ok=True)

    def _make_room(self, folder: Folder, needed: int) -> None:
        """Remove the oldest files, or refuse, when the part would not fit beside the others."""
        whole = folder.whole_files()
        over = sum(size for _, size in whole) + needed - self._settings.max_total_bytes
        if over <= 0:
            return
        if self._settings.when_full == "stop":
            raise SinkUnavailable(
                f"{folder.path}: max_total_bytes ({self._settings.max_total_bytes}) is used up",
                hint='move files away, raise it, or set when_full = "remove_oldest"',
            )
        state = self._state
        for path, size in whole:
            if over <= 0:
                break
            path.unlink(missing_ok=True)
            over -= size
            state = replace(state, removed_files=state.removed_files + 1, removed_bytes=state.removed_bytes + size)  # fmt: skip
            logger.warning("%s: removed %s, max_total_bytes is used up", folder.path, path.name)
        self._keep(folder, state)

    def _keep(self, folder: Folder, state: State) -> None:
        state_.save(folder.state, state)
        self._state = state


def _recovered(folder: Folder, state: State) -> State:
    """What is true after a process that may have died anywhere.

    Raises:
        StorageCorrupt: of the part there is less than was fsynced.
    """
    part = state.part
    if part is None:
        return state
    if not folder.part.exists() or (folder.path / part.name).exists():
        return replace(state, part=None)  # it died behind the rename
    if folder.part.stat().st_size < part.length:
        raise StorageCorrupt(
            f"{folder.part}: expected at least {part.length} bytes, "
            f"got {folder.part.stat().st_size}: the disk lost what it had confirmed",
            hint=f"move {folder.state} and it away; the newest batches may then be written twice",
        )
    return state
