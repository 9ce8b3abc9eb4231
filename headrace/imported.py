"""How imported readings are called: history that came from a file or another system, not from a gateway.

An import job journals what it reads in a spool of its own (``cloud_sync/imports``), which lands like any
journal. What tells it apart is in the names, so that it can be seen in every reading of the lake::

    stream   import-<job>                  WHERE stream LIKE 'import-%'
    journal  00000000<8 hex digits>        of (site, job): a spool that is made again has the same id

The journal's id is no random one for a reason: a spool that was lost is known again by what it has landed.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

STREAM_PREFIX: Final = "import-"
JOURNAL_PREFIX: Final = "00000000"

JOB_PATTERN: Final = r"^[a-z0-9][a-z0-9-]{0,31}$"
_JOB = re.compile(JOB_PATTERN)


def is_job_name(text: str) -> bool:
    """Whether ``text`` may name an import job (it becomes a folder and a stream)."""
    return _JOB.fullmatch(text) is not None


def stream_of(job: str) -> str:
    """The stream of a job's readings."""
    return STREAM_PREFIX + job


def journal_of(site: str, job: str) -> str:
    """The id of a job's spool."""
    digest = hashlib.sha256(f"{site}/{job}".encode()).hexdigest()
    return JOURNAL_PREFIX + digest[:8]


def is_import_journal(journal: str) -> bool:
    """Whether a journal's id is a spool's; one in 2^32 gateways has such an id by chance."""
    return journal.startswith(JOURNAL_PREFIX)
