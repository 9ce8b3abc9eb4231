"""What importing the package costs."""

from __future__ import annotations

import subprocess
import sys


def test_importing_headrace_loads_nothing_heavy() -> None:
    """Every program does it, also on a device; ``connect`` loads what it needs when it is called."""
    code = (
        "import sys, headrace; assert callable(headrace.connect); "
        "print(*sorted(name for name in sys.modules if '.' not in name))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"pyarrow", "duckdb", "numpy", "pyiceberg", "click"} & set(done.stdout.split())
