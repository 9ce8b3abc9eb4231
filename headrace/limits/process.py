"""A program as a whole: memory, stop, reload, traces, health."""

from __future__ import annotations

from typing import Final

from headrace.limits.sizes import KIB, MIB

#: Objects that are made before Python looks for cycles among the youngest (its own default is 700).
#: 50,000 of them are some 10 MB if they all were garbage.
GC_THRESHOLD: Final = 50_000

#: Bytes of freed memory that a gateway or cloud-sync keeps for its next batch, and the largest block that
#: is kept (glibc takes no more). Two landings' worth.
MALLOC_KEEP_BYTES: Final = 256 * MIB
MALLOC_LARGEST_KEPT_BYTES: Final = 32 * MIB

#: Seconds that a stop lets consumers finish what was committed; the rest is done at the next start.
GATEWAY_DRAIN_S: Final = 5.0

#: Seconds that ``gateway reload`` waits for the answer: consumers end the delivery in hand first, and a
#: destination that does not answer may hold one for as long as its own timeout.
RELOAD_ANSWER_S: Final = 90.0

#: Seconds by which the wall clock must move against the steady one between two looks, a second apart at most,
#: to count as set: a time server that adjusts it gently moves it by half a millisecond a second.
CLOCK_STEP_S: Final = 1.0

#: Bytes of a token, password or URL file that are compared to see whether it has changed.
SECRET_MAX_BYTES: Final = 64 * KIB

#: Part of a disk's free space that DuckDB may take for what does not fit into its memory, if it was told no other
#: bound: a journal on the same disk needs the rest. And tries to make a folder for it while others remove it.
SPILL_SHARE: Final = 0.5
SPILL_TRIES: Final = 10

#: Groups whose trace is remembered for the consumers behind, and links of one consumer's span.
TRACE_MAX_GROUPS: Final = 10_000
TRACE_MAX_LINKS: Final = 32

#: Seconds that ``gateway health`` and ``cloud-sync health`` wait. A program that needs longer for a
#: constant answer is stuck; container engines give a check 10 s here, Python's start included.
HEALTH_TIMEOUT_S: Final = 5.0

#: Seconds after cloud-sync's start until jobs beside the path of a batch (maintenance) begin: what waits in
#: the journal goes first. And how nice their threads are (19 is the nicest).
BESIDE_DELAY_S: Final = 60.0
BESIDE_NICE: Final = 10
