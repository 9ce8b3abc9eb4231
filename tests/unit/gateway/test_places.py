"""Messages of numbered sources are told by their places."""

from gateway.ingest.arrival import Arrival, Place
from gateway.ingest.dedup import PLACES, Seen, Stage
from gateway.ingest.gather import gather
from gateway.ingest.reading import Accepted, Refused, read


def test_a_message_of_a_source_is_known_by_its_place(open_journal, clock):
    """Whatever its payload is: readings without a name, and a payload that is refused."""
    journal = open_journal()

    def commit(number: int, payload: bytes, first: int | None = None):
        place = Place("kafka/t/0", first or number, number)
        found = read(Arrival("d1", "line", payload, clock.now_us(), place=place))
        batches = [found] if isinstance(found, Accepted) else []
        refused = [found] if isinstance(found, Refused) else []
        return journal.commit(batches, refused, [])

    assert len(commit(1, b"m f=1").entries) == 1
    assert len(commit(5, b"m f=1", first=2).entries) == 1
    assert len(commit(6, b"broken").refused) == 1
    for number, payload in ((1, b"m f=1"), (5, b"m f=1"), (6, b"broken")):
        again = commit(number, payload)
        assert (again.entries, again.refused) == ([], [])
    journal.close()
    journal = open_journal()
    assert journal.seen.of(PLACES, "kafka/t/0").pairs() == [(1, 6)]
    assert journal.seen.missing() == {}
    assert commit(6, b"m f=1").duplicates == 1
    (entry,) = commit(7, b"m f=1").entries
    assert entry.first_seq == 3
    assert not entry.stream.startswith("gw-")


def test_places_that_never_come_do_not_fill_the_memory(monkeypatch):
    """The lowest are taken for left out."""
    monkeypatch.setattr("gateway.ingest.dedup.MAX_RANGES_PER_STREAM", 3)
    stage = Stage(Seen())
    assert all(stage.add_place(Place("s", number, number)) for number in range(1, 20, 2))
    assert stage.changed()[PLACES, "s"].pairs() == [(1, 15), (17, 17), (19, 19)]


def test_messages_that_came_before_are_left_out_of_what_is_gathered(open_journal, clock):
    """A crash between journal and commit: some of a partition's messages come again amid new ones."""
    journal = open_journal()

    def commit(first: int, last: int):
        arrivals = [
            Arrival("d1", "senml-json", b'[{"n":"a","v":%d,"t":2000000000}]' % number, clock.now_us(),
                    place=Place("kafka/t/0", number, number), answered=False)
            for number in range(first, last + 1)
        ]  # fmt: skip
        batches, left = gather(arrivals)
        assert (len(batches), left) == (1, [])
        return journal.commit(batches, [], [])

    (whole,) = commit(1, 4).entries
    assert (whole.first_seq, whole.rows.num_rows) == (1, 4)
    mixed = commit(3, 6)
    assert [entry.rows.column("value").to_pylist() for entry in mixed.entries] == [[5.0], [6.0]]
    assert [entry.first_seq for entry in mixed.entries] == [5, 6]
    assert mixed.duplicates == 2
    again = commit(1, 6)
    assert (again.entries, again.duplicates) == ([], 6)
    assert commit(7, 9).entries[0].first_seq == 7


def test_what_a_source_numbers_is_not_gathered_with_what_a_device_sent(clock):
    """They have streams of different names, and only one of them is promised to be there once."""
    payload = b'[{"n":"a","v":1,"t":2000000000}]'
    by_kafka = Arrival("d1", "senml-json", payload, clock.now_us(), place=Place("kafka/t/0", 1, 1))
    by_mqtt = Arrival("d1", "senml-json", payload, clock.now_us())
    batches, left = gather([by_kafka, by_mqtt, by_mqtt])
    assert ([len(batch.arrivals) for batch in batches], left) == ([1, 2], [])
