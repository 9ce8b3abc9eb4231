"""Maintenance: compaction, retention, expiry and removal, beside landing and registering.

Reading order:

- ``runs``        pure: which files of a day to merge next
- ``order``       the order of rows, and runs of equal series in a piece of a table
- ``merge``       many sorted runs into one, in bounded memory
- ``writer``      sorted tables as dense files of a target size
- ``entries``     the data files that a table's manifests name
- ``iceberg``     the one place that replaces files in a table
- ``records``     what a rewriting is about to do, written down first
- ``compaction``  the steps of one rewriting and what a kill between them leaves behind
- ``landings``    files of landings that were made again, and so are needed no more
- ``sweep``       removing what nobody needs
- ``estimate``    what a day would take when it is compacted
- ``report``      what a round did
- ``maintainer``  a round over all tables
- ``commands``    ``cloud-sync maintain``
"""
