"""From a message to columns that may be journalled.

Reading order: ``inbox`` (what waits for the journal), ``dedup`` (what has been seen) and ``reading``
(message to columns, or the reason why not).
"""
