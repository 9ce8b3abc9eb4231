"""Journal to lake: land the journal as Parquet files, register them in the Iceberg table.

Reading order:

- ``pipeline``  the path of a batch into the lake, one call a line
- ``landing``   columns to Parquet files, and the landing of a range of the journal
- ``lake``      which manifests to register, and registering them
- ``maintain``  compaction, retention, expiry and removal
- ``imports``   history of other systems
- ``stream``    readings that come through a topic
- ``compute``   tables that are computed from readings
- ``catalog``   the table of series
- ``quality``   the table of quality: complete, regular, plausible, in time
- ``config``    cloud_sync.toml
- ``beside``    the jobs beside the path, as configured
- ``service``   the jobs on a schedule, with outages and SIGTERM
- ``scheduled`` jobs that have a crontab's schedule (``cron``)
- ``options``   which configuration a command is about
- ``cli``       the ``cloud-sync`` command
"""
