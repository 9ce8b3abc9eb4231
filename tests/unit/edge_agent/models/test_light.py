from __future__ import annotations

import subprocess
import sys


def test_the_agent_runs_models_without_numpy_or_a_runtime_in_its_process() -> None:
    """They are in the processes beside it; so is everything about signatures."""
    code = (
        "import sys, edge_agent.models.input\n"
        "heavy = {'numpy', 'tuf', 'securesystemslib', 'urllib3', 'ai_edge_litert', 'onnxruntime'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
