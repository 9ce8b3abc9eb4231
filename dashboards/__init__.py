"""Grafana dashboards: ``build`` makes ``grafana/*.json`` and ``provisioning/`` from code."""
