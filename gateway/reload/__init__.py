"""Changing a gateway while it runs.

Reading order: ``changes`` (what differs between two files, and whether it may), ``ways_in`` (sources and the
Sparkplug host), ``reloader`` (all of it, without losing or repeating a batch).
"""

from gateway.reload.reloader import Reloader

__all__ = ["Reloader"]
