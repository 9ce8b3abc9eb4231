"""Fixtures that several kinds of tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.programs import Programs


@pytest.fixture
def programs(tmp_path):
    """Makes programs; what still runs at the end is killed."""
    made = Programs(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="session")
def recordings():
    """The folder of recorded data, outside the project."""
    folder = Path(
        os.environ.get("HEADRACE_TEST_DATA")
        or Path(__file__).resolve().parents[2] / "shared" / "data"
    )
    if not folder.is_dir():
        pytest.skip(f"no recorded data at {folder}; set HEADRACE_TEST_DATA")
    return folder
