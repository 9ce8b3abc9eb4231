"""What the agent's process has written to disk, as the kernel counts it.

``write_bytes`` of ``/proc/self/io`` are the bytes that this process caused to go to the block layer:
pages of the cache as a whole, direct writes exactly. The file system's own journal is not in it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

_IO: Final = Path("/proc/self/io")


def written_bytes() -> int:
    """Bytes that this process has written so far; 0 where the kernel does not count them."""
    try:
        lines = _IO.read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line[13:]) for line in lines if line.startswith("write_bytes: ")), 0)
