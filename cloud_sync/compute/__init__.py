"""The batch layer: tables that are computed from the readings, and again where readings came late.

Reading order:

- ``jobs``        what ``[[compute]]`` asks for, as tables in the order in which they are made
- ``exact``       sums that are the same in any order
- ``rollups``     count, sum, min, max, mean, first and last of a minute, an hour, a day
- ``features``    series side by side, with windows and lags
- ``described``   what a feature table says of its columns
- ``targets``     a table that is computed: from what, with which columns, how
- ``days``        pure: which days of which devices have to be computed again
- ``files``       what the metadata of an Iceberg table says of its files
- ``table``       the table of a target: made, read, replaced day by day
- ``engines``     where expressions run, DuckDB or Spark
- ``region``      the files of one region: what was computed, and what stays
- ``run``         one run of a job, day by day
- ``dropping``    a table that is wanted no more, or anew
- ``schedule``    runs by themselves, in ``cloud-sync run``
- ``commands``    ``cloud-sync compute``
"""
