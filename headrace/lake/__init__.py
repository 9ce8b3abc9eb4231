"""The lake as cloud_sync writes it and ``headrace query`` reads it.

Reading order:

- ``store_config``  tables below ``[lake]``, one per kind of store
- ``config``     the ``[lake]`` table of a configuration
- ``store``      the object store port, and the one for a local folder
- ``stores``     S3 and its like, Google Cloud Storage, Azure Blob, HDFS
- ``opening``    which of them an address names
- ``catalogue``  opening the Iceberg catalogue; its errors as ours
- ``fileio``     files as pyiceberg sees them, where its own way does not do
- ``readings``   the columns of the table ``headrace.readings``, and journal rows as such columns
- ``latest``     the newest reading of each series, kept beside the table
- ``spill``      where DuckDB puts what does not fit into memory
- ``manifests``  finding the manifests that a watermark does not cover yet
- ``covered``    how far a table that is made of landings goes
- ``series``     the table of series: how far it goes and what it adds up to

Not for the agent: this package imports pyarrow.
"""
