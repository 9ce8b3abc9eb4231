"""Where a page is and where the next one, for five kinds of paging: pure.

A place is what the mark of the job holds: a token (page number, offset, cursor or address) and the
records of that page that are imported. The last page of an API is seldom full, and gets longer until
the next run: so its token is kept, with its count, and the records behind the count are new.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import msgspec

from cloud_sync.imports.http.config import HttpSettings
from cloud_sync.imports.records import dig
from headrace.errors import UsageError


class Place(msgspec.Struct, frozen=True):
    """A page, and how many of its records are imported. ``before``: what the page before it was, as a digest."""

    token: str
    rows: int = 0
    before: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """What an answer says of itself."""

    records: int
    body: Any
    links: Mapping[str, Any]


def start(settings: HttpSettings) -> Place:
    """The first page."""
    tokens = {"page": str(settings.first_page), "offset": "0", "link": settings.url}
    return Place(tokens.get(settings.paging, ""))


def request(settings: HttpSettings, place: Place) -> tuple[str, dict[str, str]]:
    """The address and the parameters of a page."""
    params = dict(settings.params)
    if settings.size_param:
        params[settings.size_param] = str(settings.page_size)
    if settings.paging in ("page", "offset"):
        params[settings.page_param] = place.token
    if settings.paging == "cursor" and place.token:
        params[settings.cursor_param] = place.token
    if settings.paging == "link":
        # An address of the other side has its own parameters.
        return place.token, params if place.token == settings.url else {}
    return settings.url, params


def following(settings: HttpSettings, place: Place, page: Page) -> Place | None:
    """The next page; None where this is the last for now.

    Raises:
        UsageError: it is at another host, which must not get our secret.
    """
    token = _token(settings, place, page)
    return None if not token or token == place.token else Place(token)


def _token(settings: HttpSettings, place: Place, page: Page) -> str:
    match settings.paging:
        case "page":
            return str(int(place.token) + 1) if page.records >= settings.page_size else ""
        case "offset":
            full = page.records >= settings.page_size
            return str(int(place.token) + page.records) if full else ""
        case "cursor":
            found = dig(page.body, settings.cursor_field)
            return "" if found is None else str(found)
        case "link":
            return _link(settings, page)
        case _:
            return ""


def _link(settings: HttpSettings, page: Page) -> str:
    said = page.links.get("next", {}).get("url", "") or dig(page.body, settings.cursor_field) or ""
    if not said:
        return ""
    address = urljoin(settings.url, str(said))
    own, other = urlsplit(settings.url), urlsplit(address)
    if (own.scheme, own.netloc) != (other.scheme, other.netloc):
        raise UsageError(f"the next page is at {other.scheme}://{other.netloc}, not at {own.netloc}", hint="a secret is not sent there")  # fmt: skip
    return address
