"""What becomes of a landing that is damaged: the site is asked for it, and it is given up at last.

What the site is asked and answers are objects (``headrace/resend.py``), and what comes next follows from
those that are there: a registrar that is killed, or another one, goes on in the same place.

::

    nothing asked                       ask, and wait
    asked, no answer                    wait: a site may be off for a week
    answered "sent", still damaged      ask again, a few times
    answered "cannot", or asked enough  give up: said in quarantine/, the rest of the journal goes on

So a journal waits only while its readings may still come. Nothing is deleted, and what of a landing is
sound goes into the table.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from headrace import resend
from headrace.errors import LakeError
from headrace.lake.store import Store
from headrace.landing import ManifestName, manifest_name, parse_manifest_name
from headrace.limits.lake import RESEND_MAX_ATTEMPTS
from headrace.resend import Answer, Quarantined, Request, RequestName

log = logging.getLogger(__name__)

_UNREADABLE: Final = Answer(sent=False, why="the answer cannot be read")


class Repairs:
    """Asks sites, and keeps the record of what was given up."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def settle(
        self,
        name: ManifestName,
        why: str,
        *,
        files: Mapping[str, str] | None = None,
        registered: bool = False,
    ) -> str:
        """Do what is next for a landing with a fault; what is waited for, or "" when it is given up.

        Args:
            files: sha256 of the damaged files by path, where they must become what they were.
            registered: the table refers to them: then it is the end when the site cannot help.
        """
        if not registered and self.is_given_up(name):
            return ""
        last = self._last_request(name)
        if last is None:
            return self._ask(name, 1, Request(why, dict(files or {}), registered))
        answer = self._answer(last)
        if answer is None:
            return f"the site was asked to send it again ({last.path})"
        if answer.sent and last.number < RESEND_MAX_ATTEMPTS:
            return self._ask(name, last.number + 1, Request(why, dict(files or {}), registered))
        return f"the site cannot send it again: {answer.why}" if registered else ""

    def is_given_up(self, name: ManifestName) -> bool:
        """Whether that was decided before, here or by hand."""
        return self._store.size(resend.quarantine_path(name)) is not None

    def given_up(self) -> list[ManifestName]:
        """All landings that were given up, registered or not; few."""
        paths = [
            path
            for site in self._store.folders(resend.QUARANTINE_PREFIX)
            for journal in self._store.folders(site)
            for path in self._store.names(journal)
        ]
        names = [name for name in map(parse_manifest_name, paths) if name is not None]
        return [manifest_name(each.site, each.journal, each.first, each.last) for each in names]

    def give_up(
        self,
        name: ManifestName,
        why: str,
        *,
        missing: tuple[str, ...] = (),
        rows: int | None = None,
    ) -> None:
        """Put on record what will not be in the table. The first to say it is right."""
        last = self._last_request(name)
        answer = self._answer(last) if last is not None else None
        if answer is not None and answer.why:
            why = f"{why}; the site: {answer.why}"
        record = resend.encode(Quarantined(why, name.path, missing, rows))
        if self._store.create(resend.quarantine_path(name), record):
            log.error(
                "given up: offsets %d-%d of site %s, journal %s: %s; see %s",
                name.first, name.last, name.site, name.journal, why, resend.quarantine_path(name),
            )  # fmt: skip

    def _ask(self, name: ManifestName, number: int, request: Request) -> str:
        asked = RequestName(name.site, name.journal, name.first, name.last, number)
        self._store.create(asked.path, resend.encode(request))
        return f"the site is asked to send it again ({asked.path})"

    def _last_request(self, name: ManifestName) -> RequestName | None:
        paths = self._store.names(resend.folder(name.site, name.journal))
        asked = [each for each in map(resend.parse_name, paths) if each and not each.is_answer]
        own = [each for each in asked if (each.first, each.last) == (name.first, name.last)]
        return max(own, default=None)

    def _answer(self, asked: RequestName) -> Answer | None:
        path = resend.answer_to(asked).path
        payload = self._store.get(path)
        if payload is None:
            return None
        try:
            return resend.decode(payload, path, Answer)
        except LakeError:
            return _UNREADABLE
