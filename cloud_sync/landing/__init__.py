"""Land: a range of the journal becomes Parquet files and a manifest.

Reading order:

- ``encoding`` how columns are encoded, by measurement
- ``parquet``  a table as one encoded file per day
- ``identity`` which readings a landing brings
- ``unpacked`` how much of the journal is one landing
- ``steps``    what a landing is between two of its steps
- ``lander``   the steps of one landing and what a kill between them leaves behind
- ``lives``    a journal in whose place an old copy was put
- ``resender`` making a landing again that was found damaged
"""
