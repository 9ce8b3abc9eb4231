"""From a message to columns that may be journalled.

Reading order: ``arrival`` (what every way in hands over), ``limits`` (what one device may use), ``fair`` (whose
turn it is), ``inbox`` (what waits for the journal), ``reading`` (a payload to columns, or the reason why
not), ``gather`` (many small payloads at once) and ``dedup`` (what has been seen).
"""
