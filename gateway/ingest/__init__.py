"""From a message to columns that may be journalled.

Reading order: ``arrival`` (what every way in hands over), ``inbox`` (what waits for the journal), ``reading``
(a payload to columns, or the reason why not), ``gather`` (many small payloads at once) and ``dedup``
(what has been seen).
"""
