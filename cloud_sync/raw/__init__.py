"""The raw zone: payloads as they were received, for a set number of days, and readings made of them again.

Reading order:

- ``files``     names, columns and bytes of a raw file
- ``keeper``    journal and quarantine into raw files; retention
- ``table``     the Iceberg table of a replay
- ``repeats``   what devices sent to two journals of a site
- ``replay``    raw files into that table, resumable
- ``compare``   whether it equals the readings that the lake has
- ``commands``  ``cloud-sync replay``
"""
