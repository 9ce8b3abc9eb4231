"""mosquitto, with its store written when it stops: a kill costs what came since it was last written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.contract.brokers import Broker, Make
from tests.servers.mosquitto import EXECUTABLE, configuration


def make(folder: Path) -> Make:
    if EXECUTABLE is None:
        pytest.skip("mosquitto is not installed (Debian package mosquitto)")
    program, config = EXECUTABLE, folder / "mosquitto.conf"

    def argv(port: int) -> Sequence[str | Path]:
        config.write_text(configuration(port, folder), encoding="utf-8")
        return [program, "-c", config]

    return Make(Broker(argv, folder), "5", durable=False)
