"""Dashboards against the real pipeline and a real InfluxDB 1.x.

``site`` runs the pipeline, ``grafana`` does with a query what Grafana does, ``pictures`` draws panels.
"""
