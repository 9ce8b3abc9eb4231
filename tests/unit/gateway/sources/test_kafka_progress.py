"""What may be given back to Kafka, and what a message is called."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.ingest.dedup import PLACES, Seen, Stage
from gateway.sources.kafka.config import KafkaSourceSettings
from gateway.sources.kafka.message import Message, arrival, device_of
from gateway.sources.kafka.progress import Progress


def test_nothing_is_given_back_before_what_stands_before_it() -> None:
    """The inbox takes devices in turns, so messages are done in any order."""
    progress = Progress("s")
    for offset in (5, 6, 9):
        progress.take(offset)
    progress.done(6)
    assert progress.to_commit() is None
    progress.done(5)
    assert progress.to_commit() == 7
    assert progress.to_commit() is None
    progress.done(9)
    assert (progress.to_commit(), progress.waiting) == (10, 0)


def test_offsets_that_go_back_are_another_topic() -> None:
    """Then nothing is taken for known."""
    progress = Progress("s")
    assert progress.take(5) is not None
    assert progress.take(5) is None


@given(
    gaps=st.lists(st.integers(1, 5), min_size=1, max_size=40),
    order=st.randoms(use_true_random=False),
    crash=st.integers(0, 40),
)
def test_each_message_is_new_once_whatever_was_committed_before_a_crash(gaps, order, crash) -> None:  # type: ignore[no-untyped-def]
    """Offsets with holes, done in any order, delivered again from the last commit on; and one range at the end."""
    offsets = [sum(gaps[: at + 1]) for at in range(len(gaps))]
    seen, arrived = Seen(), []

    def deliver(which: list[int], progress: Progress) -> None:
        places = [(offset, progress.take(offset)) for offset in which]
        order.shuffle(places)
        for offset, place in places:
            stage = Stage(seen)
            if stage.add_place(place):
                arrived.append(offset)
            seen.apply(stage)
            progress.done(offset)

    first = Progress("s")
    deliver(offsets[:crash], first)
    committed = first.to_commit() or 0
    goes_on = order.choice([0, committed])
    deliver([offset for offset in offsets if offset >= goes_on], Progress("s"))
    assert sorted(arrived) == offsets
    assert len(seen.of(PLACES, "s")) <= 2


def test_the_header_says_whose_it_is_or_else_the_key() -> None:
    """And how it is written."""
    settings = KafkaSourceSettings(device="{topic}-{device}", format="line")
    message = Message("press", 2, 7, b"k", b"m f=1", [("headrace.device", b"h")])
    assert device_of(settings, message) == "press-h"
    plain = Message("press", 2, 7, b"k", None)
    assert device_of(settings, plain) == "press-k"
    place = Progress("s").take(7)
    assert place is not None
    made = arrival(settings, plain, "press-k", place, 5, lambda _error: None)
    assert (made.format, made.payload, made.source, made.answered) == ("line", b"", "kafka:press/2/7", False)  # fmt: skip
    named = Message("press", 2, 7, b"k", b"", [("headrace.encoding", b"arrow")])
    assert arrival(settings, named, "press-k", place, 5, lambda _error: None).format == "arrow"
