"""The lake as cloud_sync writes it and ``headrace query`` reads it.

Reading order:

- ``config``     the ``[lake]`` table of a configuration
- ``store``      the object store port, and the one for a local folder
- ``s3``         the store for S3 and its like
- ``opening``    which of the two a configuration names
- ``catalogue``  opening the Iceberg catalogue; its errors as ours
- ``fileio``     Iceberg metadata that is on disk when the catalogue names it
- ``readings``   the columns of the table ``headrace.readings``, and journal rows as such columns
- ``manifests``  finding the manifests that a watermark does not cover yet

Not for the agent: this package imports pyarrow.
"""
