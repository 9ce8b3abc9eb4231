"""Import jobs: history of files and other systems into the lake, exactly once.

Reading order:

- ``port``      what a plugin is: chunks, and marks where it goes on
- ``runner``    one run of a job: spool, land, prune
- ``spool``     the journal of a job's own, in which chunk and marks are one transaction
- ``batches``   readings as journal batches; what no reading may be
- ``mapping``   tables of others as readings, by configuration; ``times``: columns of times
- ``jobs``      the ``[[imports]]`` tables
- ``web``       asking HTTP APIs: pauses, quotas, bounds; ``records``: JSON as tables; ``days``: whole days
- ``files/``, ``http/``, ``influxdb/``, ``mixpanel/``, ``ga4/``: the plugins, found through the entry points
  ``headrace.imports``
- ``schedule``  jobs that ``cloud-sync run`` runs by itself
- ``commands``  ``cloud-sync import``
"""
