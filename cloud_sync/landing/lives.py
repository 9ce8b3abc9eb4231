"""An old copy of the journal in its place: noticed by what has landed, and made another journal for the lake.

A disk image is restored, a copy of the data folder is put back, a virtual machine is cloned: then the journal is
at an older offset, and gives the offsets behind it to other readings. Under the names of landings that are there
they would never be registered, or be put over files of the table. So before a process lands for the first time, and
whenever the cursor is not where it has left it, the names behind the cursor are listed. A manifest that is not
of the landing that the journal has planned is of another life of it.

Then the journal gets a new id. The manifests of that begin with an empty one up to the cursor, and what comes again
is kept out when it is registered, as after a lost disk (``cloud_sync/lake/once.py``). The order is manifest, id: killed
between, an empty journal is left in the lake, and the next start does it again.
"""

from __future__ import annotations

import logging
import secrets

from cloud_sync.landing.lander import Lander
from headrace.errors import UsageError
from headrace.imported import is_import_journal
from headrace.journal import LAKE, JournalReader
from headrace.lake.store import Store
from headrace.landing import Manifest, encode, folder, parse_manifest_name

log = logging.getLogger(__name__)


class Lives:
    """Whether a journal is still the one that has landed under its id."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._left: tuple[str, int] | None = None

    def settle(self, lander: Lander, reader: JournalReader) -> None:
        """Before landing.

        Raises:
            UsageError: it is an import job's spool: the job would import again what has landed.
            LakeError: this site may not list its own landings.
        """
        if self._left == (reader.journal_id, lander.cursor):
            return
        landed = self._landed(lander, reader)
        if landed <= max(lander.cursor, lander.planned):
            return
        said = f"journal {reader.path}: expected no landing behind {lander.cursor}, got one up to {landed}"
        if is_import_journal(reader.journal_id):
            raise UsageError(
                f"{said}: it is an older copy of the spool",
                hint="put the newer one back, or give the job another name",
            )
        old = reader.journal_id
        self._begin_anew(reader)
        log.warning(
            "%s: an older copy of it was put back. It goes on as journal %s, so that nothing of %s is "
            "overwritten or taken for landed", said, reader.journal_id, old,
        )  # fmt: skip

    def leave(self, reader: JournalReader) -> None:
        """After landing."""
        self._left = reader.journal_id, reader.cursor(LAKE)

    def _landed(self, lander: Lander, reader: JournalReader) -> int:
        """The last offset that has landed under the journal's id."""
        place = folder(reader.site, reader.journal_id)
        names = self._store.names(place, after=f"{place}/{lander.cursor + 1:020d}")
        found = [name for name in map(parse_manifest_name, names) if name is not None]
        return max((name.last for name in found), default=0)

    def _begin_anew(self, reader: JournalReader) -> None:
        journal, last = secrets.token_hex(8), reader.cursor(LAKE)
        if last:
            nothing = Manifest(reader.site, journal, 1, last, 0, (), seen=())
            self._store.create(nothing.path, encode(nothing))
        reader.rename(journal)
