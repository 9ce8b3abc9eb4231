"""SQL over the lake, the landing zone and the journal's tail.

Reading order:

- ``config``     which journal and which lake
- ``ask``        a question from its text to its answer: the steps
- ``allowed``    what may stand in a statement
- ``statement``  one statement, checked
- ``planner``    which rows of which tables it needs
- ``predicate``  what that is, in terms of files
- ``sources``    what there is, each reading in exactly one place
- ``latest``     the newest reading of each series
- ``series``     the table of series that is kept, and what is not in it yet
- ``tables``     derived tables
- ``views``      the views ``readings``, ``series``, ``alerts``, ``models`` and ``latest``
- ``engine``     DuckDB, read-only and locked
- ``output``     results as table, csv, json or Arrow
"""
