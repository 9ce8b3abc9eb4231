"""HiveMQ Community Edition, which lets in whoever comes (OpenHiveMQ.java); its data are in files."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.contract.brokers import Broker, Make
from tests.servers.java import find_jars

_CONFIG = """\
<?xml version="1.0"?>
<hivemq>
  <listeners><tcp-listener><port>{port}</port><bind-address>127.0.0.1</bind-address></tcp-listener></listeners>
  <anonymous-usage-statistics><enabled>false</enabled></anonymous-usage-statistics>
</hivemq>
"""
_OPENED = ("java.lang", "java.nio", "sun.nio.ch")


def make(folder: Path) -> Make:
    jars = find_jars("hivemq")
    if jars is None or shutil.which("javac") is None:
        pytest.skip("HiveMQ's jars are not in .venv/hivemq/jars, or there is no JDK")
    (folder / "conf").mkdir()
    opened = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPENED]

    def argv(port: int) -> Sequence[str | Path]:
        (folder / "conf" / "config.xml").write_text(_CONFIG.format(port=port), encoding="utf-8")
        return [
            "java", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", *opened,
            "--add-opens=jdk.management/com.sun.management.internal=ALL-UNNAMED",
            "--add-exports=java.base/jdk.internal.misc=ALL-UNNAMED",
            f"-Dhivemq.home={folder}", "-cp", f"{jars}/*", Path(__file__).parent / "OpenHiveMQ.java",
        ]  # fmt: skip

    return Make(Broker(argv, folder), "5")
