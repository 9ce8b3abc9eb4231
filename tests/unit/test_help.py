"""What the four programs say about themselves, on a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import entry_points

import click
import pytest

PROGRAMS = ("headrace", "edge-agent", "gateway", "cloud-sync")


def commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command, int]]:
    """Every command below ``group``: its words, itself, and the room for its line in the list."""
    room = 80 - 6 - max(map(len, group.commands))
    for name, command in group.commands.items():
        yield f"{path} {name}", command, room
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_list_of_commands_cuts_no_sentence_off(program: str) -> None:
    """A list that ends in dots leaves the reader guessing; more belongs into a second sentence."""
    (script,) = entry_points(group="console_scripts", name=program)
    cut = [
        path
        for path, command, room in commands(script.load(), program)
        if command.get_short_help_str(room).endswith("...")
    ]
    assert not cut, cut
