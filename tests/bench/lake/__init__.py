"""The lake: bytes of a reading, the cost of compaction, and commits that stay quick.

- ``recordings``  what sensors really sent, second by second
- ``sizes``       bytes per reading, landed and compacted
- ``landing``     from the journal into the table: readings a second, on a folder and on S3
- ``landing_process``  the process that is measured then
- ``merging``     CPU and memory of a compaction, by size of the day
- ``commits``     the time of a commit after many, with maintenance on
- ``made``        landings without a journal, for the two before

``python -m tests.bench.lake`` runs them; ``make bench`` prints them with the rest.
"""
