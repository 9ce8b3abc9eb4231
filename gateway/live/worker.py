"""The thread that keeps the present up to date.

When it cannot keep up it jumps to the newest batches, because a picture of the present is all that is
promised. So it does when the journal's file, where it looks after a start, cannot be read.
"""

from __future__ import annotations

import logging
import threading
from typing import Final

from gateway.feed import Feed
from gateway.live.present import Live
from headrace.errors import StorageError
from headrace.limits.console import LIVE_LOOK_S
from headrace.limits.consumers import FEED_MAX_ROWS

logger = logging.getLogger(__name__)

#: Batches of the past that are looked at after a start, so that a restart does not empty the page.
_REFILL_BATCHES: Final = 2_000


class LiveWorker:
    """The thread between feed and ``Live``."""

    def __init__(self, live: Live, feed: Feed) -> None:
        self._live = live
        self._feed = feed
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="live")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        at = max(0, self._feed.head - _REFILL_BATCHES)
        while not self._stopping.is_set():
            try:
                entries = self._feed.read(at, max_rows=FEED_MAX_ROWS, timeout_s=LIVE_LOOK_S)
            except StorageError as error:
                logger.warning("the page goes on with what comes now: %s", error)
                at = self._feed.head
                continue
            if entries:
                self._live.add_all(entries)
                at = max(entries[-1].offset, self._feed.oldest_in_memory - 1)
                self._stopping.wait(LIVE_LOOK_S)
