"""Lines dealt out by a tag."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api.split import by_device
from headrace.codecs import decode
from headrace.errors import PayloadError, RequestError


def test_lines_of_one_device_stay_as_they_were_sent():
    """Comments and blanks, too."""
    body = b"# a comment\n\ncpu,host=web-1 busy=1 1\r\n cpu,host=web-1 busy=2 2"
    assert by_device(body, "host") == {"web-1": body}


@pytest.mark.parametrize(
    ("line", "device"),
    [
        (b"cpu,host=a x=1", "a"),
        (b"cpu,a=b,host=c,d=e x=1", "c"),
        (b"cpu,myhost=no,host=yes x=1", "yes"),
        (b"cpu\\,host=no,host=yes x=1", "yes"),
        (b"cpu,x=1\\,host=no,host=yes x=1", "yes"),
        (b'cpu,host=a s="x,host=b\ncpu,host=b x=1",t="\\"\n" 1', "a"),
        (b'cpu,q="host=a,host=b x="no string in tags"', "b"),
    ],
)
def test_the_tag_is_found_by_the_grammar(line, device):
    """Escapes are of names; strings may hold what looks like a line."""
    assert by_device(line, "host") == {device: line}


@pytest.mark.parametrize(
    "line", [b"cpu x=1", b"cpu,host= x=1", b"cpu,host=a/b x=1", b"cpu,host=\xff x=1"]
)
def test_a_line_without_a_device_refuses_the_request(line):
    """Nobody else's name is taken for it."""
    with pytest.raises(RequestError) as caught:
        by_device(b"cpu,host=a x=1\n" + line, "host")
    assert caught.value.status == 400


def test_a_tag_with_odd_characters_is_escaped_as_in_lines():
    """The configuration has it as people write it."""
    assert by_device(b"cpu,the\\ host=a x=1", "the host") == {"a": b"cpu,the\\ host=a x=1"}


@given(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=20))
def test_nothing_is_lost_and_order_stays(devices):
    """Every line goes to its own device."""
    lines = [f"cpu,host={device} x={n}\n".encode() for n, device in enumerate(devices)]
    found = by_device(b"".join(lines), "host")
    for device in set(devices):
        own = [line for line, owner in zip(lines, devices, strict=True) if owner == device]
        assert found[device] == b"".join(own)


@given(st.binary(max_size=200))
def test_any_bytes_are_dealt_out_or_refused(body):
    """No bytes vanish and none are made up."""
    try:
        found = by_device(body, "host")
    except RequestError:
        return
    assert sum(map(len, found.values())) <= len(body)


_TEXT = st.text('ab,= \\"\n#', max_size=6)


@st.composite
def _line(draw):
    """A sound line with awkward names and strings, and its device."""
    device = draw(st.sampled_from(["a", "b-1", "c.2"]))
    name = "".join(
        f"\\{char}" if char in ", =" else char for char in "m" + draw(st.text('a,= "#', max_size=4))
    )
    tags = [f"host={device}", *draw(st.sets(st.sampled_from(["x=1", "ghost=q", 'y="', "z=host"])))]
    string = draw(_TEXT).replace("\\", "\\\\").replace('"', '\\"')
    fields = draw(st.permutations(["v=1", f's="{string}"', "n=2i"]))
    time = draw(st.sampled_from(["", " 1790000000000000000"]))
    return ",".join([name, *draw(st.permutations(tags))]) + " " + ",".join(fields) + time


@given(st.lists(_line() | st.sampled_from(["", "# host=a", " \t"]), min_size=1, max_size=8))
def test_what_is_dealt_out_decodes_to_the_same_readings(lines):
    """Each with its own device, and as many as before."""
    body = "\n".join(lines).encode()
    whole = Counter(_readings(body))
    parts = by_device(body, "host")
    assert sum((Counter(_readings(part)) for part in parts.values()), Counter()) == whole
    for device, part in parts.items():
        for name, _ in _readings(part):
            assert f";host={device}" in name


def _readings(body):
    try:
        rows = decode("line", body, 0).rows.to_pydict()
    except PayloadError as error:
        if error.reason != "bad_schema":  # nothing but blanks and comments
            raise
        return []
    values = zip(rows["value"], rows["text"], strict=True)
    return list(zip(rows["name"], values, strict=True))
