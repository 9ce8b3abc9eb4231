"""From a request to the inbox and back."""

from __future__ import annotations

import asyncio

import pytest

from gateway.api.handover import Handover
from gateway.ingest.inbox import Inbox
from headrace.clock import ManualClock
from headrace.errors import PayloadError, RequestError
from headrace.limits.ingest import ARRIVALS_MAX_BYTES


def handover(inbox=None, **changes):
    options = {
        "stalled": lambda: False, "keys_full": lambda: False, "held_s": lambda _device: 0.0,
        "commit_s": 5.0, **changes,
    }  # fmt: skip
    return Handover(inbox=inbox or Inbox(), clock=ManualClock(), **options)


async def deliver(to, answers, key=None):
    """What becomes of a request whose payloads get these answers."""
    parts = {f"pump-{number}": b"x" for number in range(len(answers))}
    task = asyncio.create_task(to.deliver(parts, "line", key))
    await asyncio.sleep(0)
    arrivals = to.inbox.take(0.0).arrivals
    for arrival, error in zip(arrivals, answers, strict=True):
        arrival.done(error)
    await task
    return arrivals


def test_a_request_returns_when_all_of_it_is_on_disk():
    """One arrival a device; nothing is answered over MQTT."""
    arrivals = asyncio.run(deliver(handover(), [None, None], key=b"k"))
    assert [(a.device, a.format, a.source, a.key, a.answered) for a in arrivals] == [
        ("pump-0", "line", "http", b"k", False),
        ("pump-1", "line", "http", b"k", False),
    ]


@pytest.mark.parametrize(
    ("reason", "status"),
    [("bad_value", 400), ("broken_frame", 400), ("too_large", 413), ("bad_identity", 422)],
)
def test_a_refusal_says_why_and_that_it_is_kept(reason, status):
    """Of many devices, how many."""
    with pytest.raises(RequestError, match=f"{reason}: no.*quarantine .1 of 2 devices") as caught:
        asyncio.run(deliver(handover(), [None, PayloadError(reason, "no")]))
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("changes", "key", "status"),
    [
        ({"stalled": lambda: True}, None, 503),
        ({"keys_full": lambda: True}, b"k", 503),
        ({"held_s": lambda _device: 2.4}, None, 429),
        ({"commit_s": 0.01}, None, 503),
    ],
)
def test_what_cannot_be_taken_now_may_come_again(changes, key, status):
    """With the seconds after which."""

    async def request():
        await handover(**changes).deliver({"pump-1": b"x"}, "line", key)

    with pytest.raises(RequestError) as caught:
        asyncio.run(request())
    assert (caught.value.status, caught.value.retry_after_s) == (status, caught.value.retry_after_s)
    assert caught.value.retry_after_s


def test_a_device_that_went_over_its_limit_meanwhile_may_come_again():
    """What was dropped for that is nowhere: 400 would lose it."""
    held = iter([0.0, 3.0])
    to = handover(held_s=lambda _device: next(held))
    with pytest.raises(RequestError) as caught:
        asyncio.run(deliver(to, [PayloadError("over_limit", "too fast")]))
    assert (caught.value.status, caught.value.retry_after_s) == (429, 3)


def test_too_many_series_are_refused_for_good():
    """They are in quarantine; sent again they would only fill it."""
    with pytest.raises(RequestError, match="over_limit") as caught:
        asyncio.run(deliver(handover(), [PayloadError("over_limit", "too many series")]))
    assert caught.value.status == 400


def test_keys_that_cannot_be_remembered_do_not_stop_requests_without():
    """They were promised less."""
    asyncio.run(deliver(handover(keys_full=lambda: True), [None]))


def test_an_inbox_without_room_is_too_many_requests():
    """Memory is bounded there, and the client holds the rest."""
    inbox = Inbox()
    to = handover(inbox)

    async def fill_and_ask():
        size = 8 * 1024 * 1024
        waiting = [
            asyncio.create_task(to.deliver({"pump-1": bytes(size)}, "line", None))
            for _ in range(ARRIVALS_MAX_BYTES // size)
        ]
        await asyncio.sleep(0)
        try:
            await to.deliver({"pump-2": b"x"}, "line", None)
        finally:
            for task in waiting:
                task.cancel()

    with pytest.raises(RequestError) as caught:
        asyncio.run(fill_and_ask())
    assert caught.value.status == 429
