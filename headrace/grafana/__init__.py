"""Grafana: the dashboards that come with Headrace, and what makes an existing Grafana show them.

The dashboards are data here (dashboards/grafana/*.json, made by dashboards/build); this package
writes the files around them.

Reading order: ``rules`` (alert rules), ``provisioning`` (what Grafana's files say, pure),
``yaml`` (how), ``export`` (writes the folder).
"""

from __future__ import annotations

from typing import Final

#: Dashboards and alert rules name their data source by it, so it must never be made up by Grafana:
#: a uid that differs between two installations is the usual end of shared dashboards.
DATASOURCE_UID: Final = "headrace"
