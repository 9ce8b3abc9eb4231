"""How good the readings are: the table ``quality``, one row a series and day.

Reading order:

- ``days``       pure: which days are to be computed
- ``chunks``     pure: a day in pieces that fit into memory
- ``statement``  the SQL that judges one piece
- ``measure``    a day, by DuckDB
- ``keeper``     a round over the days, each committed by itself
- ``commands``   ``cloud-sync quality``
"""
