"""A device may be the Sparkplug node of its own name, and no other."""

from __future__ import annotations

import pytest

from gateway.broker.auth import TopicAccess
from headrace.pki.names import COMMANDS_NAME

ACCESS = TopicAccess("headrace/v1")


@pytest.mark.parametrize(
    ("topic", "may"),
    [
        ("spBv1.0/plant/NBIRTH/line-1", True),
        ("spBv1.0/plant/NDEATH/line-1", True),
        ("spBv1.0/plant/DDATA/line-1/tank", True),
        ("spBv1.0/plant/NDATA/line-2", False),
        ("spBv1.0/plant/DDATA/line-1", False),
        ("spBv1.0/plant/NDATA/line-1/tank", False),
        ("spBv1.0/plant/NCMD/line-1", False),
        ("spBv1.0/STATE/site-1", False),
        ("spBv1.0/#", False),
    ],
)
def test_a_node_speaks_for_itself(topic: str, may: bool) -> None:
    """Births, data and deaths; commands and STATE are the host's."""
    assert ACCESS.may_publish("line-1", topic) is may
    assert ACCESS.may_publish(COMMANDS_NAME, topic) is True
    assert ACCESS.may_publish("", topic) is False


@pytest.mark.parametrize(
    ("topic", "may"),
    [
        ("spBv1.0/plant/NCMD/line-1", True),
        ("spBv1.0/plant/DCMD/line-1/#", True),
        ("spBv1.0/STATE/site-1", True),
        ("spBv1.0/plant/NCMD/+", False),
        ("spBv1.0/plant/NCMD/line-2", False),
        ("spBv1.0/plant/NDATA/line-1", False),
        ("spBv1.0/#", False),
    ],
)
def test_a_node_hears_what_is_meant_for_it(topic: str, may: bool) -> None:
    """Its commands, and whether the host is there."""
    assert ACCESS.may_subscribe("line-1", topic) is may
