"""Where expressions run.

Reading order:

- ``port``     what an engine does
- ``duckdb``   in this process
- ``spark``    on many machines
- ``shares``   pure: what of which files each of their tasks reads
- ``executor`` reading a share there, with Arrow
- ``opening``  which one a name stands for
"""
