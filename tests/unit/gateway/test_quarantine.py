"""Where a refused payload goes when it is sent once more."""

from __future__ import annotations

import pytest

from gateway.ingest.arrival import HTTP_SOURCE, KAFKA_SOURCE, Arrival
from gateway.ingest.reading import Refused
from gateway.quarantine import Quarantine
from headrace.errors import PayloadError, UsageError
from headrace.topics import Topics


@pytest.fixture
def refuse(open_journal):
    """Puts a payload into quarantine; returns the quarantine and the payload's number."""
    writer = open_journal()

    def refuse_(
        source: str, device: str = "pump-1", format_: str = "line"
    ) -> tuple[Quarantine, int]:
        arrival = Arrival(device, format_, b"x", 1, source)
        writer.commit([], [Refused(arrival, PayloadError("over_limit", "too much"))], [])
        store = Quarantine(writer.path)
        return store, store.list(1)[0].id

    return refuse_


def test_what_came_by_mqtt_goes_to_its_own_topic(refuse):
    """Also where the id in it is not allowed: it is refused for the same reason again."""
    store, number = refuse("headrace/v1/pump 1/data/line", "pump 1")
    assert store.topic(number, Topics()) == "headrace/v1/pump 1/data/line"


@pytest.mark.parametrize(
    "source",
    [HTTP_SOURCE, f"{KAFKA_SOURCE}plant/3/17", "spBv1.0/plant/DDATA/edge/pump", "site2/v1/pump-1/data/line"],
)  # fmt: skip
def test_what_came_another_way_goes_to_its_devices_topic(refuse, source):
    """Every format that the journal knows is taken there."""
    store, number = refuse(source, format_="line-ms")
    assert store.topic(number, Topics()) == "headrace/v1/pump-1/data/line-ms"
    assert store.replayable() == [number]


def test_an_id_that_can_be_no_topic_is_refused_with_a_reason(refuse):
    """A key of Kafka may be anything; a topic may not."""
    store, number = refuse(f"{KAFKA_SOURCE}plant/3/17", "a/#")
    with pytest.raises(UsageError, match="can have no topic"):
        store.topic(number, Topics())
