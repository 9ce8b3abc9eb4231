"""The site's side of the talk about damaged landings: make them again, or say that it cannot.

Each request is answered once (``headrace/resend.py``). A range that the table refers to is put again only
where every file comes out byte for byte as it was; any other is landed under new names, and its
manifest replaced. What the journal has no more, or holds damaged itself, is answered so.
"""

from __future__ import annotations

import hashlib
import logging

from cloud_sync.landing.lander import Lander
from cloud_sync.landing.steps import Next
from headrace import resend
from headrace.errors import StorageCorrupt
from headrace.lake.store import Store
from headrace.landing import is_data_of, manifest_name, odd_path_of
from headrace.resend import Answer, Request, RequestName

log = logging.getLogger(__name__)


class Resender:
    """Answers what registrars ask of one journal."""

    def __init__(self, lander: Lander, store: Store, *, journal: str) -> None:
        self._lander = lander
        self._store = store
        self._journal = journal

    def run(self) -> int:
        """Answer all that is open; how many landings were made again.

        Raises:
            LakeError: this site may not look for requests, or the store refuses for another reason.
        """
        return sum(self._answer(name) for name in self._open())

    def _open(self) -> list[RequestName]:
        paths = self._store.names(resend.folder(self._lander.site, self._journal))
        names = [name for name in map(resend.parse_name, paths) if name is not None]
        answered = {each.path for each in names if each.is_answer}
        return [
            each
            for each in names
            if not each.is_answer and resend.answer_to(each).path not in answered
        ]

    def _answer(self, name: RequestName) -> bool:
        asked = self._store.get(name.path)
        if asked is None:
            return False  # listed and not there yet: some stores do that, and the next pass looks again
        request = resend.decode(asked, name.path, Request)
        try:
            answer = self._made_again(name, request)
        except StorageCorrupt as error:
            answer = Answer(sent=False, why=error.message)
        self._store.create(resend.answer_to(name).path, resend.encode(answer))
        log.warning(
            "the landing of offsets %d-%d was found damaged (%s): %s", name.first, name.last,
            request.why, "sent again" if answer.sent else f"cannot be sent again: {answer.why}",
        )  # fmt: skip
        return answer.sent

    def _made_again(self, name: RequestName, request: Request) -> Answer:
        if name.last > self._lander.cursor:
            return Answer(sent=False, why="the journal has not landed that yet")
        this = self._lander.read(name.first, name.last)
        if this.damaged:
            return Answer(sent=False, why="; ".join(this.damaged))
        if not request.registered:
            self._lander.replace(self._lander.encode(this, attempt=name.number))
            return Answer(sent=True)
        return self._put_back(request, this)

    def _put_back(self, request: Request, this: Next) -> Answer:
        """Files of the table, where they come out as they were."""
        encoded = self._lander.encode(this)
        made = {hashlib.sha256(data).hexdigest(): data for _, data in encoded.objects}
        if not request.files or not made.keys() >= set(request.files.values()):
            return Answer(sent=False, why="this version of cloud-sync makes other bytes of it")
        name = manifest_name(self._lander.site, self._journal, this.first, this.last)
        if not all(is_data_of(path, name) or path == odd_path_of(name) for path in request.files):
            return Answer(sent=False, why="the request names files of other landings")
        for path, digest in request.files.items():
            self._store.put(path, made[digest])
        return Answer(sent=True)
