"""Where expressions run.

Reading order:

- ``port``     what an engine does
- ``duckdb``   in this process
- ``spark``    on many machines
- ``opening``  which one a name stands for
"""
