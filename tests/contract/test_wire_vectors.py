"""The gateway's side of the wire vectors: golden bytes to readings and documents."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest

from headrace import codecs, wire
from headrace.errors import PayloadError
from tests.wire_vectors import FOLDER, NOW_US, all_vectors, payload, vectors

DOCUMENTS = {"ack": wire.Ack, "nack": wire.Nack, "state": wire.DeviceState}


def named(chosen: list[Any]) -> Any:
    return pytest.mark.parametrize(
        "vector", [pytest.param(v, id=f"{v['id']} {v['title']}") for v in chosen]
    )


BATCHES = vectors("batch")
PAPERS = [vector for kind in DOCUMENTS for vector in vectors(kind)]


@named([vector for vector in BATCHES if "refused" not in vector])
def test_a_payload_is_these_readings(vector: Any) -> None:
    """Every name, time, value, text and unit, to the last bit."""
    decoded = codecs.decode(vector["format"], payload(vector), NOW_US)
    columns = pa.Table.from_batches([decoded.rows]).to_pydict()
    times = decoded.rows.column("time").cast("int64").to_pylist()
    rows = zip(columns["name"], times, columns["value"], columns["text"], strict=True)
    assert [list(row) for row in rows] == vector["readings"]
    assert (decoded.stream, decoded.first_seq) == (vector["stream"], vector["seq"])
    assert decoded.units == vector["units"]
    assert decoded.widened == vector.get("widened", {})


@named([vector for vector in BATCHES if "refused" in vector])
def test_a_bad_payload_is_refused_with_its_reason(vector: Any) -> None:
    """Never a crash, never half a batch."""
    with pytest.raises(PayloadError) as caught:
        codecs.decode(vector["format"], payload(vector), NOW_US)
    assert caught.value.reason == vector["refused"]


@named([vector for vector in PAPERS if "refused" not in vector])
def test_a_document_says_this(vector: Any) -> None:
    """Acks, nacks and states; unknown keys are ignored."""
    found = json.loads(wire.encode(wire.decode(payload(vector), DOCUMENTS[vector["kind"]])))
    expected = vector.get("state") or {
        key: vector[key] for key in ("stream", "ranges", "reason", "crc") if key in vector
    }
    assert {key: found[key] for key in expected} == expected


@named([vector for vector in PAPERS if "refused" in vector])
def test_a_bad_document_is_refused(vector: Any) -> None:
    """What is not a document of its kind changes nothing."""
    with pytest.raises(PayloadError) as caught:
        wire.decode(payload(vector), DOCUMENTS[vector["kind"]])
    assert caught.value.reason == vector["refused"]


def test_numbers_and_files_are_complete() -> None:
    """WIRE-001, WIRE-002, …: no number missing, no file without a vector."""
    numbers = [vector["id"] for vector in all_vectors()]
    assert numbers == [f"WIRE-{number:03d}" for number in range(1, len(numbers) + 1)]
    files = {path.relative_to(FOLDER).as_posix() for path in (FOLDER / "bytes").iterdir()}
    assert files == {vector["file"] for vector in all_vectors()}
