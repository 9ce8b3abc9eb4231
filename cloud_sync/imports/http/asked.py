"""Paging without an end, found before anything comes twice: pure.

An API that does not know the parameter for pages answers with the same page for ever; one whose cursor goes
in a circle brings the same pages again. Each is told from what the job remembers with its place: the
records of the page before, as a digest, and the cursors and links that it has left behind, one mark of 40
bytes each.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from cloud_sync.imports.http.paging import Place
from headrace.errors import UsageError

_LEFT: Final = "left."
_HINT: Final = (
    "what came before is imported; set paging and its parameters as the API's documentation says"
)


class Asked:
    """The pages that a job has asked for."""

    def __init__(self, marks: Mapping[str, bytes]) -> None:
        self._left = {key for key in marks if key.startswith(_LEFT)}

    def check(self, url: str, place: Place, records: Sequence[Mapping[str, Any]]) -> str:
        """The digest of a page's records.

        Raises:
            UsageError: the page before it had the same.
        """
        own = _digest(json.dumps(records, sort_keys=True)) if records else ""
        if own and own == place.before:
            raise UsageError(
                f"{url}: page {place.token[:80]!r} has the same {len(records)} records as the page before it",
                hint=_HINT,
            )
        return own

    def leave(self, url: str, place: Place, after: Place) -> dict[str, bytes]:
        """The mark of a page that another follows.

        Raises:
            UsageError: that one was there before.
        """
        key = _LEFT + _digest(place.token)
        self._left.add(key)
        if _LEFT + _digest(after.token) in self._left:
            raise UsageError(
                f"{url}: the pages go in a circle: {after.token[:80]!r} comes again", hint=_HINT
            )
        return {key: b""}


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
