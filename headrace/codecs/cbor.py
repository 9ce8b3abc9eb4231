r"""What a CBOR payload may be made of, before a decoder builds objects from it.

A stranger can choose map keys whose hashes collide (arrays, decimals and large integers are hashable,
and their hashes are known to everybody): 8 MiB of them keep a decoder busy for hours. Empty maps take
one byte there and 64 here. Tags share, compile, parse and date things. So payloads are looked through
first: nearly all of them are flat maps of scalars, which a regular expression recognises; the others
are walked item by item.
"""

from __future__ import annotations

import re
from typing import Final

from headrace.errors import PayloadError, RefusalReason
from headrace.limits.wire import (
    CBOR_MAX_DEPTH,
    CBOR_MAX_ITEMS,
    CBOR_MAX_MAP_ENTRIES,
    MAX_SENML_RECORDS,
)

_UINT, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP, _TAG = range(7)
_BREAK: Final = 0xFF
_DECIMAL_FRACTION: Final = 4

_SHORT_TEXTS: Final = b"|".join(b"%c.{%d}" % (0x60 + length, length) for length in range(1, 24))
_SCALAR: Final = (
    rb"(?:\xfb.{8}|[\x00-\x17\x20-\x37\xf4-\xf6]|\xfa.{4}|[\x18\x38].|[\x19\x39\xf9]..|[\x1a\x3a].{4}"
    rb"|[\x1b\x3b].{8}|\x60|" + _SHORT_TEXTS + rb")"
)  # fmt: skip
#: A map of at most 23 entries. They are not counted here: without arrays and tags, and with no
#: larger maps, nothing that a miscount could turn them into takes long to build.
_FLAT_MAP: Final = re.compile(
    rb"[\xa1-\xb7](?:(?:[\x00-\x08\x20-\x25]|" + _SHORT_TEXTS + rb")" + _SCALAR + rb")++", re.DOTALL
)
_ARRAY_HEAD: Final = re.compile(rb"[\x80-\x97\x9f]|\x98.|\x99..|\x9a....", re.DOTALL)


def refuse_traps(payload: bytes) -> None:
    """Refuse what would take long, or much memory, to decode.

    Raises:
        PayloadError: too many items, too deep, a large map, a tag that SenML has no use for.
    """
    if not _is_flat(payload):
        _Walk(payload).through()


def _is_flat(payload: bytes) -> bool:
    """Whether it is one array of flat maps, and not too many of them."""
    head = _ARRAY_HEAD.match(payload)
    if head is None:
        return False
    at = head.end()
    for count, found in enumerate(_FLAT_MAP.finditer(payload, at)):
        if found.start() != at or count == MAX_SENML_RECORDS:
            return False
        at = found.end()
    return payload[at:] in (b"", b"\xff")


def _refuse(reason: RefusalReason, problem: str) -> PayloadError:
    return PayloadError(reason, f"CBOR: {problem}")


class _Walk:
    """Goes through the items of a payload by their heads."""

    def __init__(self, payload: bytes) -> None:
        self._payload = payload
        self._at = 0
        self._items = 0

    def through(self) -> None:
        """The whole payload, which is one item."""
        try:
            self._item(0)
        except IndexError:
            raise _refuse("broken_frame", "the payload is cut off") from None

    def _item(self, depth: int) -> bool:
        """One item with all that is in it; False for a break."""
        self._items += 1
        if self._items > CBOR_MAX_ITEMS or depth > CBOR_MAX_DEPTH:
            raise _refuse(
                "bomb", f"a payload may have {CBOR_MAX_ITEMS} items, {CBOR_MAX_DEPTH} deep"
            )
        first = self._payload[self._at]
        self._at += 1
        kind, info = first >> 5, first & 31
        if first == _BREAK:
            return False
        if info == 31 and kind in (_BYTES, _TEXT, _ARRAY, _MAP):
            self._until_break(kind, depth)
            return True
        size = self._size(info)
        if kind in (_BYTES, _TEXT):
            self._skip(size)
        elif kind in (_ARRAY, _MAP):
            self._several(kind, size, depth)
        elif kind == _TAG:
            self._tag(size, depth)
        return True

    def _size(self, info: int) -> int:
        if info < 24:
            return info
        if info > 27:
            raise _refuse("broken_frame", "an item's head is not valid")
        width = 1 << (info - 24)
        number = self._payload[self._at : self._at + width]
        self._skip(width)
        return int.from_bytes(number, "big")

    def _skip(self, count: int) -> None:
        self._at += count
        if self._at > len(self._payload):
            raise IndexError

    def _several(self, kind: int, size: int, depth: int) -> None:
        if kind == _MAP:
            self._check_entries(size)
            size *= 2
        for _ in range(size):
            if not self._item(depth + 1):
                raise _refuse("broken_frame", "a break inside an array or map of known size")

    def _until_break(self, kind: int, depth: int) -> None:
        count = 0
        while self._item(depth + 1):
            count += 1
            if kind == _MAP:
                self._check_entries(count // 2)

    def _tag(self, number: int, depth: int) -> None:
        if number != _DECIMAL_FRACTION:
            raise _refuse("bad_schema", f"tag {number} is not for SenML (only 4, decimal fraction)")
        self._item(depth + 1)

    def _check_entries(self, count: int) -> None:
        if count > CBOR_MAX_MAP_ENTRIES:
            raise _refuse("bomb", f"a map may have {CBOR_MAX_MAP_ENTRIES} entries")
