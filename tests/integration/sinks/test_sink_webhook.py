"""The webhook sink against a real HTTP server: what it sends, and what it makes of answers."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from msgspec.structs import replace

from gateway.sinks.webhook import WebhookSettings, WebhookSink
from headrace import codecs
from headrace.clock import ManualClock
from headrace.errors import SinkError, SinkUnavailable
from tests.gateway_entries import START, entry, rows, series
from tests.servers.http import HttpServer, Reply, Request, http_server

CLOCK = ManualClock()


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with http_server() as running:
        yield running


Open = Callable[..., WebhookSink]


@pytest.fixture
def open_sink(server: HttpServer) -> Iterator[Open]:
    opened: list[WebhookSink] = []

    def open_(clock: ManualClock = CLOCK, **settings: Any) -> WebhookSink:
        made = WebhookSettings(**{"url": f"{server.url}/hook?a=b", "timeout_s": 5.0, **settings})
        opened.append(WebhookSink(made, site="plant a", clock=clock))
        return opened[-1]

    yield open_
    for sink in opened:
        sink.close()


def refusing(*bad: float) -> Callable[[Request], Reply]:
    """A receiver that refuses every request in which one of these values stands."""

    def answer(request: Request) -> Reply:
        values = {record.get("v") for event in json.loads(request.body) for record in event["data"]}
        return Reply(422, b"I do not like\nthis") if values & set(bad) else Reply(202)

    return answer


def test_a_batch_of_events_carries_every_reading(server: HttpServer, open_sink: Open) -> None:
    """CloudEvents 1.0, JSON batch format, with SenML as data."""
    odd = 'say "hi", \\ and\nbye\x01 ü'
    batch = rows(["flow", odd, "on"], [START, START + 1, START + 2], [0.1 + 0.2, odd, 1e300])
    given = replace(
        entry("pump-1", batch, received_at=START + 5), units={"flow": "m3/s"}, first_seq=7
    )
    assert open_sink().write([given, series("pump-2", "x", [1.0])]) == []
    (request,) = server.requests
    assert request.path == "/hook?a=b"
    assert request.headers["Content-Type"] == "application/cloudevents-batch+json; charset=UTF-8"
    first, second = json.loads(request.body)
    assert first == {
        "specversion": "1.0",
        "id": "0123456789abcdef/7-9",
        "source": "/headrace/plant%20a/pump-1",
        "type": "headrace.readings",
        "subject": "pump-1",
        "time": "2023-11-14T22:13:20.000005Z",
        "datacontenttype": "application/senml+json",
        "data": [
            {"stream": "0123456789abcdef", "seq": 7, "n": "flow", "u": "m3/s", "t": 1700000000.0, "v": 0.1 + 0.2},
            {"n": odd, "t": 1700000000.000001, "vs": odd},
            {"n": "on", "t": 1700000000.000002, "v": 1e300},
        ],
    }  # fmt: skip
    assert (second["subject"], len(second["data"])) == ("pump-2", 1)


def test_the_data_is_a_pack_that_another_gateway_takes(server: HttpServer, open_sink: Open) -> None:
    """With the device's own stream and seq, so it is deduplicated there."""
    given = series("pump-1", "x", [1.5, "on", -3e-7], first_seq=41)
    open_sink(mode="binary").write([given])
    decoded = codecs.decode("senml-json", server.requests[0].body, 0)
    assert decoded.rows.equals(given.rows)
    assert (decoded.stream, decoded.first_seq) == (given.stream, 41)


def test_single_events_are_structured_or_binary(server: HttpServer, open_sink: Open) -> None:
    """One request an event; in binary mode the attributes are headers."""
    batches = [series("pump-1", "x", [1.0]), series("pump-2", "x", [2.0])]
    open_sink(mode="structured").write(batches)
    open_sink(mode="binary").write(batches[:1])
    structured, _, binary = server.requests
    event = json.loads(structured.body)
    assert structured.headers["Content-Type"] == "application/cloudevents+json; charset=UTF-8"
    assert json.loads(binary.body) == event.pop("data")
    assert binary.headers["Content-Type"] == event.pop("datacontenttype")
    assert {name: unquote(binary.headers[f"ce-{name}"]) for name in event} == event


def test_an_event_that_comes_again_is_the_same_event(server: HttpServer, open_sink: Open) -> None:
    """However deliveries are put together; a hole ends an event, so its id says what is in it."""
    values = [1.0, float("nan"), 3.0, 4.0]
    given, other = series("d", "x", values, first_seq=10), series("e", "x", [1.0])
    sink = open_sink()
    (rejected,) = sink.write([given, other])
    assert (rejected.reason, rejected.rows and rejected.rows.num_rows) == ("not_finite", 1)
    sink.write([given])
    first, again = (json.loads(request.body) for request in server.requests)
    assert first[:2] == again
    assert [event["id"].split("/")[1] for event in again] == ["10-10", "12-13"]


def test_a_long_batch_becomes_several_events_in_several_requests(
    server: HttpServer, open_sink: Open
) -> None:
    """None is larger than max_bytes, unless a single reading is."""
    given = series("d", "x", [1.0] * 25_000, step_s=0.001)
    huge = series("e", "x", ["y" * 40_000, "z"])
    assert open_sink(max_bytes=32 * 1024).write([given, huge]) == []
    sizes = [len(request.raw) for request in server.requests]
    assert sorted(sizes)[-2] <= 32 * 1024 < max(sizes) < 41_000
    events = [event for request in server.requests for event in json.loads(request.body)]
    assert sum(len(event["data"]) for event in events) == 25_002


def test_an_event_that_is_refused_goes_alone(server: HttpServer, open_sink: Open) -> None:
    """The rest of its request is taken."""
    server.answer = refusing(17.0, 30.0)
    batches = [series(f"d{at}", "x", [float(at), at + 0.5]) for at in range(50)]
    rejected = open_sink().write(batches)
    assert [one.entry.device for one in rejected] == ["d17", "d30"]
    assert {one.detail for one in rejected} == {"the receiver answers 422: I do not like this"}
    assert [one.rows and one.rows.num_rows for one in rejected] == [2, 2]


@pytest.mark.parametrize("status", [301, 307, 401, 403, 404, 405, 408, 410, 429, 500, 503])
def test_answers_that_people_or_time_will_mend_keep_the_batch(
    server: HttpServer, open_sink: Open, status: int
) -> None:
    """Nothing is rejected because an address was wrong, and nothing goes elsewhere."""
    with http_server() as elsewhere:
        server.answer = lambda _: Reply(status, b"as told", {"Location": elsewhere.url})
        with pytest.raises(SinkUnavailable, match=str(status)):
            open_sink().write([series("d", "x", [1.0])])
        assert elsewhere.requests == []


@pytest.mark.parametrize(
    ("said", "pause_s"),
    [("120", 120), ("Sun, 15 Jun 2025 15:07:40 GMT", 60), ("999999999", 3_600), ("soon", 0), ("-1", 0)],
)  # fmt: skip
def test_a_receiver_that_asks_for_time_gets_it(
    server: HttpServer, open_sink: Open, said: str, pause_s: float
) -> None:
    """Retry-After in seconds or as a date; an hour at most, nonsense not at all."""
    clock = ManualClock(1_750_000_000_000_000)
    sink = open_sink(clock)
    server.answer = lambda _: Reply(429, headers={"Retry-After": said})
    with pytest.raises(SinkUnavailable, match="429"):
        sink.write([series("d", "x", [1.0])])
    server.answer = lambda _: Reply(204)
    if pause_s:
        clock.advance(pause_s - 1)
        with pytest.raises(SinkUnavailable, match="left alone"):
            sink.write([series("d", "x", [1.0])])
        assert len(server.requests) == 1
        clock.advance(2)
    assert sink.write([series("d", "x", [1.0])]) == []


def test_requests_carry_token_and_signature(
    server: HttpServer, open_sink: Open, tmp_path: Path
) -> None:
    """Standard Webhooks; of the body before gzip."""
    key = b"0123456789abcdef01234567"
    token, secret = tmp_path / "token", tmp_path / "secret"
    token.write_text("t0ken\n")
    secret.write_text(f"whsec_{base64.b64encode(key).decode()}\n")
    sink = open_sink(token_file=token, signature_secret_file=secret, gzip=True)
    sink.write([series("d", "x", [1.0])])
    sink.write([series("d", "x", [1.0])])
    request, again = server.requests
    assert request.headers["Authorization"] == "Bearer t0ken"
    assert request.headers["Content-Encoding"] == "gzip"
    said, at = request.headers["webhook-id"], request.headers["webhook-timestamp"]
    digest = hmac.digest(key, f"{said}.{at}.".encode() + request.body, "sha256")
    assert request.headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
    assert at == str(CLOCK.now_us() // 1_000_000)
    assert again.headers["webhook-id"] == said


def test_a_secret_that_is_not_base64_is_named(open_sink: Open, tmp_path: Path) -> None:
    """Before anything is signed with it."""
    secret = tmp_path / "secret"
    secret.write_text("whsec_not base64")
    with pytest.raises(SinkError, match="must be base64"):
        open_sink(signature_secret_file=secret)


@pytest.mark.parametrize("body", [b"", b"ok", b"x" * 100_000])
def test_answers_of_any_length_are_taken_and_connections_used_again(
    server: HttpServer, open_sink: Open, body: bytes
) -> None:
    """A long answer costs its connection, not the sink."""
    server.answer = lambda _: Reply(200, body)
    sink = open_sink()
    for _ in range(3):
        assert sink.write([series("d", "x", [1.0])]) == []
    assert server.connections == (1 if len(body) < 2_048 else 3)


def test_times_that_senml_would_misread_are_rejected(server: HttpServer, open_sink: Open) -> None:
    """Before July 1978 SenML counts from now: a device without a clock must not seem to have one."""
    batch = entry("d", rows(["x", "x"], [1_000_000, START], [1.0, 2.0]))
    (rejected,) = open_sink().write([batch])
    assert rejected.reason == "bad_time"
    assert [len(event["data"]) for event in json.loads(server.requests[0].body)] == [1]
