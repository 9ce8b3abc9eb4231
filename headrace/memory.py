"""How the C allocator treats programs that make and drop large columns all day.

Left alone, glibc and Arrow's own allocator hand the memory of each dropped column back to the kernel,
which fills it with zeros again for the next one: a fifth of cloud-sync's CPU at full load, all of it in the
kernel. So what was used once is kept for the next batch, up to a bound. Elsewhere than on glibc nothing
changes.
"""

from __future__ import annotations

import ctypes
from typing import Final

from headrace.limits.process import MALLOC_KEEP_BYTES, MALLOC_LARGEST_KEPT_BYTES

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8

#: Two threads do the work that needs memory; with more arenas each keeps what another could use.
_ARENAS: Final = 2


def keep_freed() -> None:
    """Keep freed memory in the process; once, before threads start. Loads pyarrow."""
    import pyarrow as pa

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    mallopt(_M_ARENA_MAX, _ARENAS)
    mallopt(_M_MMAP_THRESHOLD, MALLOC_LARGEST_KEPT_BYTES)
    mallopt(_M_TRIM_THRESHOLD, MALLOC_KEEP_BYTES)
    pa.set_memory_pool(pa.system_memory_pool())
