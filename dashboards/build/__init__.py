"""Makes the dashboards: ``python -m dashboards.build`` writes them, ``--check`` compares.

Reading order:

- ``influx``     the InfluxQL query, which the SDK lacks, and the words of the WHERE clauses
- ``parts``      panels, variables, links and notes as all four dashboards have them
- ``units``      SenML units to Grafana's, and which series has which
- ``fleet``, ``device``, ``pipeline``, ``alerts``   one dashboard each
- ``__main__``   writes or compares; ``pictures`` draws the panels for the README
"""
