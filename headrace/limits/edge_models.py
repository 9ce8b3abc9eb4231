"""Models where they run: trial, gates, processes."""

from __future__ import annotations

from typing import Final

from headrace.limits.sizes import GIB

#: Models that one place (a gateway, a device) runs from a repository: each is a process of some 45 MB.
MODELS_MAX_SLOTS: Final = 16

#: Versions kept to fall back to, and refusals remembered, per model. A refusal that is forgotten costs
#: one more trial of a bad version, which ends as the first did.
MODELS_MAX_FALLBACKS: Final = 2
MODELS_MAX_REFUSED: Final = 50

#: Steps of a model that wait to be written down; a few per version, so this is a journal that hangs.
MODELS_MAX_UNTOLD: Final = 200

#: Calls and scores that a version is judged by: the newest ones, about 100 kB in all.
MODELS_EVIDENCE_CALLS: Final = 1_000
MODELS_EVIDENCE_SCORES: Final = 4_096

#: Rows of one device from which its alert rate says something: of 20, a version that is wrong in one
#: row of fifty has called one faulty, and one that cries wolf more than ten. Devices that are odd are
#: named up to a number that a person still reads.
MODELS_DEVICE_ROWS: Final = 20
MODELS_MAX_ODD: Final = 20

#: Rows after which the evidence of a version that is good begins anew: an hour's fault of its runtime
#: must not vanish among a year of good scores.
MODELS_EVIDENCE_ROWS: Final = 100_000

#: Rows before anything is decided about a version, and milliseconds that 99 of 100 calls stay below
#: (``model_repository.gates``). The shipped model takes 0.2 ms, pipe included; a Pi is five times slower.
MODELS_MIN_ROWS: Final = 100
MODELS_MAX_LATENCY_MS: Final = 250.0

#: Seconds that a call of a model, and its start, may take before its process is killed: what a model
#: that stalls can hold scores up for, once.
MODELS_CALL_TIMEOUT_S: Final = 2.0
MODELS_START_TIMEOUT_S: Final = 30.0

#: Bytes of memory that a model's process may ask for: the runtime takes about 100 MB of it.
MODELS_MAX_MEMORY_BYTES: Final = 1 * GIB

#: Seconds for one look at the repository from a device: some downloads, each with its own deadline.
MODELS_LOOK_TIMEOUT_S: Final = 600.0

#: Polls of inputs that wait for a device's models, and series that are known for checking a manifest.
MODELS_TAP_POLLS: Final = 1_000
MODELS_TAP_SERIES: Final = 10_000

#: Seconds between two looks at the repository (``poll_interval_s``); a nudge is answered at once.
MODELS_POLL_INTERVAL_S: Final = 300.0

#: Seconds between two looks that somebody outside has asked for: who floods a place with hints buys
#: one look in ten seconds, which costs a device half a second of its CPU.
MODELS_HINT_PAUSE_S: Final = 10.0

#: Messages about models to single devices in one second: amqtt carries some 4,000 in all.
MODELS_TOLD_PER_ROUND: Final = 500

#: Seconds that a publisher waits for a gateway that it nudges.
MODEL_NUDGE_TIMEOUT_S: Final = 10.0

#: Seconds that a version runs beside the active one, and then on probation (``shadow_s``, ``probation_s``).
MODELS_SHADOW_S: Final = 600.0
MODELS_PROBATION_S: Final = 3_600.0
