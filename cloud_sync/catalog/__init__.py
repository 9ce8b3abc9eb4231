"""Keeps the table of series.

Reading order:

- ``fold``      readings to one row a series, and such rows to fewer
- ``tags``      what is said of a series beside its readings
- ``tables``    opening or making the tables that Headrace computes
- ``rewriting`` rows for the files of a table, in one commit with properties
- ``keeper``    brings the table up to what is registered
"""
