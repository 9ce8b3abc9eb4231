"""The present, for console and API: in memory, fed by what was committed.

Reading order: ``points`` (of one series), ``device`` (what is known of one), ``present`` (all of them),
``worker`` (the thread between feed and present).
"""

from gateway.live.present import Live
from gateway.live.worker import LiveWorker

__all__ = ["Live", "LiveWorker"]
