"""Which device a Sparkplug node is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sparkplug.names import NodeKey, Place, device_id, parse, path_of
from headrace.batch import is_device_id

LEVEL = st.text(st.characters(exclude_characters="/+#\0", exclude_categories=["Cs"]), min_size=1, max_size=20)  # fmt: skip


@pytest.mark.parametrize(
    ("path", "device"),
    [
        (("plant", "line-1", ""), "plant.line-1"),
        (("plant", "line-1", "tank 1"), "plant.line-1.tank_201"),
        (("a.b", "c", ""), "a_2eb.c"),
        (("press_line", "x_y", "pump_10"), "press_line.x_y.pump_5f10"),
    ],
)
def test_ordinary_names_stay_as_they_are(path: tuple[str, str, str], device: str) -> None:
    """Only what an id may not have is written in another way."""
    group, node, name = path
    assert device_id(NodeKey(group, node), name) == device


@given(LEVEL, LEVEL, st.just("") | LEVEL)
def test_every_path_is_a_device_and_can_be_turned_back(group: str, node: str, device: str) -> None:
    """Unless a hash stands for it."""
    path = (group, node, device) if device else (group, node)
    made = device_id(NodeKey(group, node), device)
    assert is_device_id(made)
    assert path_of(made) in (None, path)
    if len("".join(path).encode()) < 20 and group[0].isascii() and group[0].isalnum():
        assert path_of(made) == path


@given(st.lists(st.tuples(LEVEL, LEVEL, LEVEL), min_size=2, max_size=2, unique=True))
def test_two_paths_are_two_devices(paths: list[tuple[str, str, str]]) -> None:
    """However long and odd."""
    first, second = (device_id(NodeKey(group, node), device * 8) for group, node, device in paths)
    assert first != second


@pytest.mark.parametrize(
    ("topic", "place"),
    [
        ("spBv1.0/g/NBIRTH/n", Place("NBIRTH", NodeKey("g", "n"))),
        ("spBv1.0/g/DDATA/n/d", Place("DDATA", NodeKey("g", "n"), "d")),
        ("spBv1.0/g/NCMD/n", None),
        ("spBv1.0/STATE/host", None),
        ("spBv1.0/g/DDATA/n", None),
        ("spBv1.0/g/NDATA/n/d", None),
        ("spBv1.0//NDATA/n", None),
        ("spAv1.0/g/NDATA/n", None),
    ],
)
def test_a_host_listens_to_births_data_and_deaths(topic: str, place: Place | None) -> None:
    """And to nothing else."""
    assert parse(topic) == place
