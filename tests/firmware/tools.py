"""Tools that firmware tests need: found, or skipped with the reason; with `make firmware-test`, an error."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "firmware_examples"

#: Program, and what brings it.
TOOLS = {
    "micropython": "pip install --group firmware (x86-64 only)",
    "gcc": "apt-get install gcc libc6-dev",
    "g++": "apt-get install g++",
    "make": "apt-get install make",
    "openssl": "apt-get install openssl",
    "mosquitto": "apt-get install mosquitto",
    "arm-none-eabi-gcc": "apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi",
    "qemu-system-arm": "apt-get install qemu-system-arm",
}


def tool(name: str) -> str:
    """The path of a program; beside this Python, in PATH or where Debian puts servers."""
    folders = [str(Path(sys.executable).parent), os.environ.get("PATH", ""), "/usr/sbin"]
    found = shutil.which(name, path=os.pathsep.join(folders))
    if found is None:
        message = f"{name} is not installed: {TOOLS[name]}"
        if os.environ.get("HEADRACE_FIRMWARE_TEST"):
            pytest.fail(message, pytrace=False)
        pytest.skip(message)
    return found
