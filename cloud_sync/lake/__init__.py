"""Register: manifests become part of the Iceberg table.

Reading order:

- ``registration``  pure: which manifests come next, where something is missing
- ``snapshots``     forgetting old snapshots
- ``table``         the table port, and the one on pyiceberg
- ``record``        which table it is and what it had, to notice when it is gone or set back
- ``footer``        pure: what a landed file says of itself, held against manifest and table
- ``inspection``    whether a landing is what its manifest says
- ``content``       a data file by the names of its readings
- ``ledger``        which readings each journal has brought
- ``once``          keeps out what another journal of the site has brought before
- ``confirm``       tells sites what is registered
- ``sharing``       pure: two gateways under one site name
- ``repairs``       asking sites for damaged landings, and giving them up
- ``registrar``     reads, decides, commits; resolves unknown outcomes
- ``latest``        keeps the newest reading of each series
- ``history``       the line of a table's snapshots, and what follows from it
- ``metadata``      finding a table that was dropped
- ``restoring``     bringing back a table that was dropped or set back
- ``verification``  reading back what landed, and what the table refers to
- ``commands``      ``cloud-sync verify``, ``restore-table``, ``give-up``
"""
