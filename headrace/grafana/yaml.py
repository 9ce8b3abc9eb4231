"""Maps, lists and plain values as YAML: the little of it that provisioning files need.

Texts are written as JSON strings, which YAML takes as they are; so nothing has to be escaped by
another rule, and no library for it is carried onto devices.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def dump(value: Mapping[str, Any], comment: str = "") -> str:
    """A document, with a comment on top."""
    head = [f"# {line}".rstrip() for line in comment.splitlines()]
    return "\n".join([*head, *_lines(value)]) + "\n"


def _lines(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _entry(f"{key}:", item)
    else:
        for item in value:
            first, *rest = _lines(item) if _is_block(item) else [_scalar(item)]
            yield f"- {first}"
            yield from (f"  {line}" for line in rest)


def _entry(head: str, item: Any) -> Iterator[str]:
    if _is_block(item):
        yield head
        yield from (f"  {line}" for line in _lines(item))
    else:
        yield f"{head} {_scalar(item)}"


def _is_block(item: Any) -> bool:
    """Whether it takes lines of its own: a map or list with something in it."""
    return isinstance(item, Mapping | Sequence) and not isinstance(item, str) and bool(item)


def _scalar(item: Any) -> str:
    return json.dumps(item, ensure_ascii=False)
