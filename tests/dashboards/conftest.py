"""One site for all tests of this folder: it takes some fifteen seconds to have a history."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.dashboards.grafana import Grafana
from tests.dashboards.site import Site, site


@pytest.fixture(scope="session")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site with a history."""
    with site(tmp_path_factory.mktemp("site")) as made:
        yield made


@pytest.fixture
def grafana(seen: Site) -> Grafana:
    """Asks that site."""
    return Grafana(seen)
