"""Topics of the wire contract."""

import pytest

from headrace.batch import is_device_id
from headrace.topics import Incoming, Topics


def test_what_a_device_publishes_is_parsed_back():
    """Building and parsing agree."""
    topics = Topics()
    assert topics.parse(topics.data("pump-1", "senml-json")) == Incoming(
        "pump-1", "data", "senml-json"
    )
    assert topics.parse(topics.state("pump-1")) == Incoming("pump-1", "state")


@pytest.mark.parametrize(
    "topic",
    [
        "headrace/v1",
        "headrace/v1/pump-1",
        "headrace/v1/pump-1/ack",
        "headrace/v1/a/data/arrow/x",
        "other/v1/a/state",
    ],
)
def test_other_topics_are_nobodys(topic):
    """The gateway ignores what devices have no business with."""
    assert Topics().parse(topic) is None


@pytest.mark.parametrize("device", ["a", "pump-1", "A.b_c-9", "0" * 64])
def test_ids_that_are_allowed(device):
    """Letters, digits, dot, underscore, hyphen."""
    assert is_device_id(device)


@pytest.mark.parametrize("device", ["", "-a", ".a", "a/b", "a b", "ä", "0" * 65, "a\n"])
def test_ids_that_are_not(device):
    """A device id becomes a topic level, a tag and a file name."""
    assert not is_device_id(device)
