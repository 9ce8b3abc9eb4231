"""How good the readings are: the table ``quality``, one row a series and day.

Reading order:

- ``days``       pure: which days, and which devices of them, are to be computed
- ``changes``    which devices have new readings
- ``look``       what there is and what was judged before
- ``chunks``     pure: a day in pieces that fit into memory
- ``statement``  the SQL that judges one piece
- ``kept``       the SQL that takes over the rows of others
- ``measure``    a day, by DuckDB
- ``keeper``     a round over the days, each committed by itself
- ``commands``   ``cloud-sync quality``
"""
