"""What is in the lake, in words: tables, columns, units, series, sizes, freshness.

Reading order:

- ``words``      what each table and column means
- ``schemas``    the columns of the tables ``series`` and ``quality``
- ``evolution``  bringing a table of an older version up to date, without rewriting it
- ``listing``    what the catalogue says of the tables
- ``series``     the table of series
- ``freshness``  how far behind each site is
- ``show``       all that for people
- ``commands``   ``headrace catalog``
"""
