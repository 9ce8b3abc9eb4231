"""aedes, the broker of Node.js, with everything in memory."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.contract.brokers import Broker, Make

_SCRIPT = """\
import {{ Aedes }} from '{package}/aedes.js'
import {{ createServer }} from 'node:net'
const broker = await Aedes.createBroker()
createServer(broker.handle).listen({port}, '127.0.0.1')
"""


def make(folder: Path) -> Make:
    package = Path(sys.prefix) / "aedes" / "node_modules" / "aedes"
    node = shutil.which("node")
    if node is None or not package.is_dir():
        pytest.skip("aedes is not installed (tests/servers/install-brokers.sh)")
    script = folder / "broker.mjs"

    def argv(port: int) -> Sequence[str | Path]:
        script.write_text(_SCRIPT.format(package=package, port=port), encoding="utf-8")
        return [node, script]

    return Make(Broker(argv, folder), "3.1.1", shares=False, durable=False)
