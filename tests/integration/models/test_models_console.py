"""The console's table of models in a real browser, while versions come and go.

``HEADRACE_SCREENSHOT=path`` keeps a picture of the page as it is at the end.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import graphs
from tests.model_repository import packed
from tests.model_site import Site
from tests.servers import wait_until
from tests.servers.chromium import EXECUTABLE, chromium

playwright = pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.skipif(EXECUTABLE is None, reason="chromium is not installed")
expect = playwright.expect


@pytest.fixture
def site(programs, tmp_path: Path) -> Iterator[Site]:
    made = Site(programs, tmp_path / "cloud", shadow_s=4, probation_s=2, console=True)
    made.start()
    yield made
    made.device.close()


def test_a_version_is_seen_in_shadow_then_active_then_rolled_back_with_its_reason(
    site: Site,
) -> None:
    """One page, loaded once; names and reasons are text."""
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(f"http://127.0.0.1:{site.gateway.http_port}/")
        region = page.get_by_role("region", name="Models").first
        expect(region).to_contain_text("No model was promoted", timeout=15_000)
        row = region.get_by_role("row").filter(has_text="m")

        def seen(*texts: str, a: float = 1.0) -> None:
            keep_sending(site, lambda: row_has(region, texts), a, f"the table shows {texts}")

        site.repository.publish(packed(graphs.good()), "all")
        seen("1: shadow", "none")
        seen("good")
        site.repository.publish(packed(graphs.nan_when_hot()), "canary")
        seen("2: shadow")
        keep_sending(site, lambda: site.slot()["active"] == 2, 1.0, "version 2 is active")
        version = row.last.get_by_role("cell").nth(1)
        expect(version).to_have_text("2", timeout=15_000)
        seen("2: ", "not finite", a=60.0)
        expect(version).to_have_text("1", timeout=15_000)
        if path := os.environ.get("HEADRACE_SCREENSHOT"):
            page.screenshot(path=path)


def keep_sending(site: Site, reached: Callable[[], bool], a: float, what: str) -> None:
    def once() -> bool:
        site.send(a)
        return reached()

    wait_until(once, 40, what)


def row_has(region, texts: tuple[str, ...]) -> bool:
    said = region.inner_text()
    return all(text in said for text in texts)
