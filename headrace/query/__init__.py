"""SQL over the lake, the landing zone and the journal's tail.

Reading order:

- ``config``   which journal and which lake
- ``sources``  what there is, each reading in exactly one place
- ``views``    the views ``readings``, ``series`` and ``alerts``
- ``engine``   DuckDB, read-only and locked
- ``output``   results as table, csv, json or Arrow
"""
