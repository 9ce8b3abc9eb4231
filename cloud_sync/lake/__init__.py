"""Register: manifests become part of the Iceberg table.

Reading order:

- ``registration``  pure: which manifests come next, where something is missing
- ``snapshots``     forgetting old snapshots
- ``table``         the table port, and the one on pyiceberg
- ``inspection``    whether a landing is what its manifest says
- ``ledger``        which readings each journal has brought
- ``once``          keeps out what another journal of the site has brought before
- ``confirm``       tells sites what is registered
- ``registrar``     reads, decides, commits; resolves unknown outcomes
"""
