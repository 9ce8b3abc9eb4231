"""Whose readings lines are, where a token may write for many devices and a tag says for which. Pure.

A request of one device, the usual case, stays as it was sent. Lines of several are dealt out, each device's
in their order: a regular expression finds where lines begin and end (a string may hold line breaks), and
a head that was seen before costs one look into a dictionary.
"""

from __future__ import annotations

import re
from typing import Final

from headrace.batch import is_device_id
from headrace.errors import RequestError
from headrace.limits.http import HTTP_MAX_DEVICES_PER_REQUEST

#: A blank or a comment, or a line: its head, and the rest with strings that begin behind a "=".
_LINE: Final = re.compile(
    rb"[ \t\0\r]*+(?:#[^\n]*+|((?:\\[, =]|[^ \n])++)"
    rb'(?:="[^"\\]*+(?:\\.[^"\\]*+)*+"|[^\n])*+)?(?:\n|\Z)',
    re.DOTALL,
)


def by_device(body: bytes, tag: str) -> dict[str, bytes]:
    """The lines of each device.

    Raises:
        RequestError: 400, a line does not have the tag, or it is no device's id.
    """
    wanted = _tag_pattern(tag)
    heads: dict[bytes, str] = {}
    found: dict[str, list[bytes]] = {}
    at = 0
    while at < len(body):
        line = _LINE.match(body, at)
        if line is None or line.end() == at:
            raise RequestError(400, f"line protocol cannot be read from byte {at} on")
        at = line.end()
        if line[1] is None:
            continue
        device = heads.get(line[1])
        if device is None:
            device = heads[line[1]] = _device(line[1], wanted, tag)
        found.setdefault(device, []).append(line[0])
        if len(found) > HTTP_MAX_DEVICES_PER_REQUEST:
            raise RequestError(
                400, f"a request may be of {HTTP_MAX_DEVICES_PER_REQUEST} devices, this has more"
            )
    if len(found) == 1:
        return dict.fromkeys(found, body)
    return {device: b"".join(lines) for device, lines in found.items()}


def _tag_pattern(tag: str) -> re.Pattern[bytes]:
    escaped = re.sub(r"([, =])", r"\\\1", tag)
    # Behind a comma that is not escaped itself; up to the next tag.
    return re.compile(rb"(?<!\\)," + re.escape(escaped.encode()) + rb"=([^,]*+)")


def _device(head: bytes, wanted: re.Pattern[bytes], tag: str) -> str:
    text = head[:120].decode("utf-8", "replace")
    value = wanted.search(head)
    if value is None:
        raise RequestError(
            400, f"this token may write for many devices, and a line has no tag {tag!r}: {text!r}",
            hint="tag it, or send the header Headrace-Device",
        )  # fmt: skip
    device = value[1].decode("utf-8", "replace")
    if not is_device_id(device):
        raise RequestError(400, f"tag {tag!r} is no device id: {text!r}")
    return device
