"""Series that change their type or unit: nothing is dropped, and somebody hears of it."""

from __future__ import annotations

import json

import msgspec
import pytest

from gateway.consumer import Outcome
from gateway.live import Live
from gateway.schema import SchemaConsumer
from gateway.schema import known as known_
from gateway.schema.consumer import types_of
from gateway.schema.known import Known, Notice
from headrace.codecs import decode
from headrace.derived import SCHEMA_NAME
from headrace.metrics import Metrics
from tests.gateway_entries import START, entry, rows

NUMBER, TEXT = ("number",), ("text",)


def batch(values, *, unit: str = "", device: str = "pump", name: str = "state", offset: int = 1):
    found = entry(device, rows([name] * len(values), [START] * len(values), values), offset=offset)
    return msgspec.structs.replace(found, units={name: unit} if unit else {})


def told(outcome: Outcome) -> list[tuple[str, dict]]:
    return [
        (derived.device, json.loads(text))
        for derived in outcome.derived
        for text in derived.rows.column("text").to_pylist()
    ]


@pytest.fixture
def consumer():
    return SchemaConsumer(Metrics("gateway"))


def test_a_number_where_text_was_is_noticed_once(consumer):
    """Both columns are there for it, and a sender that alternates is not reported for ever."""
    assert told(consumer.step([batch(["open"])], START)) == []
    second = consumer.step([batch([1.0])], START)
    notice = {"what": "type", "series": "state", "old": "text", "new": "number"}
    assert told(second) == [("pump", notice)]
    assert second.derived[0].rows.column("name").to_pylist() == [SCHEMA_NAME]
    assert told(consumer.step([batch(["open"]), batch([1.0])], START)) == []


def test_both_types_in_one_batch_are_noticed_when_one_of_them_is_new(consumer):
    """A series that begins with both says nothing: there was nothing before."""
    assert told(consumer.step([batch([1.0, "open"], name="new")], START)) == []
    consumer.step([batch([1.0], name="old")], START)
    ((_, notice),) = told(consumer.step([batch([1.0, "open"], name="old")], START))
    assert (notice["old"], notice["new"]) == ("number", "text")


def test_an_integer_is_a_number_like_any(consumer):
    """It is widened to float64 by the codec; a boolean is 0 or 1."""
    packs = [b'[{"n":"x","v":1}]', b'[{"n":"x","v":1.5}]', b'[{"n":"x","vb":true}]']
    for pack in packs:
        found = decode("senml-json", pack, START)
        assert found.rows.column("value").null_count == 0
        assert told(consumer.step([entry("mcu", found.rows)], START)) == []


def test_an_integer_beyond_float64_is_kept_and_noticed_once(consumer):
    """A counter of nanoseconds passes 2^53 after 104 days: it goes on as the nearest float64."""
    pack = b'[{"n":"x","v":9007199254740993}]'
    found = decode("senml-json", pack, START)
    batch = msgspec.structs.replace(entry("mcu", found.rows), widened=tuple(found.widened))
    ((_, notice),) = told(consumer.step([batch], START))
    assert (notice["what"], notice["series"], notice["old"]) == ("precision", "x", "exact")
    assert told(consumer.step([batch, entry("mcu", found.rows)], START)) == []


def test_another_unit_is_noticed_and_no_unit_is_none(consumer):
    """A series that gets its first unit late is no conflict either."""
    consumer.step([batch([1.0])], START)
    assert told(consumer.step([batch([1.0], unit="Pa")], START)) == []
    assert told(consumer.step([batch([1.0])], START)) == []
    ((_, notice),) = told(consumer.step([batch([1.0], unit="hPa")], START))
    assert notice == {"what": "unit", "series": "state", "old": "Pa", "new": "hPa"}
    assert told(consumer.step([batch([1.0], unit="Pa")], START)) == []


def test_what_is_known_survives_a_restart(consumer):
    """State is stored when something is new, and only then."""
    first = consumer.step([batch([1.0], unit="Pa"), batch([1.0], device="fan")], START)
    assert sorted(first.state) == ["device/fan", "device/pump"]
    assert consumer.step([batch([2.0], unit="Pa")], START).state == {}
    again = SchemaConsumer(Metrics("gateway"))
    again.restore({**first.state, "lanes": b"other"}, START)
    assert told(again.step([batch([1.0], unit="Pa")], START)) == []
    assert len(told(again.step([batch(["x"], unit="bar")], START))) == 2


def test_what_the_gateway_makes_is_not_looked_at(consumer):
    """Its alerts have texts by design."""
    made = rows(["alert/hot", "gateway/schema", "flow"], [START] * 3, ["{}", "{}", 1.0])
    assert types_of(made) == {"flow": NUMBER}


def test_names_that_a_shared_dictionary_has_and_the_batch_has_not_are_not_its_series():
    """Batches of many devices are cut from one set of columns."""
    whole = rows(["a", "b", "c"], [START] * 3, [1.0, "x", 2.0])
    assert types_of(whole.slice(1, 1)) == {"b": TEXT}


def test_series_and_units_beyond_the_bounds_are_not_followed(monkeypatch):
    """Memory ends, and nothing else does."""
    monkeypatch.setattr(known_, "SCHEMA_MAX_SERIES", 2)
    monkeypatch.setattr(known_, "SCHEMA_MAX_UNITS", 3)
    known = Known()
    known.look("d", {"a": NUMBER, "b": NUMBER, "c": NUMBER}, {})
    assert known.look("d", {"c": TEXT}, {}) == ([], False)
    assert known.look("d", {"b": TEXT}, {})[0] == [Notice("type", "b", "number", "text")]
    said = [known.look("d", {"a": NUMBER}, {"a": f"u{n}"})[0] for n in range(9)]
    assert sum(map(len, said)) == 2


def test_the_api_lists_the_newest_notices_first(consumer):
    """The console and scripts read them there."""
    live = Live()
    for number, values in enumerate([[1.0], ["x"]]):
        outcome = consumer.step([batch(values)], START + number)
        for derived in outcome.derived:
            live.add(entry(derived.device, derived.rows))
    assert live.notices() == [
        {"device": "pump", "time": START + 1, "what": "type", "series": "state", "old": "number", "new": "text"}
    ]  # fmt: skip
