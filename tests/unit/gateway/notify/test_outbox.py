from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.feed import Entry
from gateway.notify.config import NotifyConfig
from gateway.notify.consumer import NotifyConsumer
from gateway.notify.outbox import Note
from gateway.notify.sender import Attempt
from headrace.derived import Alert, AlertState, Severity, alert_name, encode_alert
from headrace.limits.consumers import NOTIFY_MAX_ATTEMPTS, NOTIFY_MAX_LINES, NOTIFY_MAX_WAITING
from headrace.metrics import Metrics
from tests.gateway_entries import SECOND, START, entry, rows


class RecordingSender:
    """A Sender that takes notes for the targets in ``up`` and remembers them."""

    def __init__(self, *up: str) -> None:
        self.up = set(up)
        self.tried: list[Note] = []
        self.taken: list[Note] = []

    def send(self, notes: Sequence[Note]) -> Mapping[str, Attempt]:
        self.tried += notes
        self.taken += [note for note in notes if note.target in self.up]
        return {note.key: Attempt(note.target in self.up, "away") for note in notes}


class Site:
    """A notify consumer with a runner's manners, and a clock of seconds."""

    def __init__(self, sender: RecordingSender, *targets: NotifyConfig) -> None:
        self.sender = sender
        self.targets = targets
        self.state: dict[str, bytes] = {}
        self.metrics = Metrics("gateway")
        self.restart()

    def restart(self) -> None:
        self.consumer = NotifyConsumer(self.targets, self.metrics, "plant-a", sender=self.sender)
        self.consumer.restore(dict(self.state), START)

    def step(self, *entries: Entry, at_s: float = 0.0) -> None:
        outcome = self.consumer.step(entries, START + round(at_s * SECOND))
        for key, value in outcome.state.items():
            if value is None:
                self.state.pop(key, None)
            else:
                self.state[key] = value
        self.consumer.committed(outcome)

    def count(self, outcome: str) -> float:
        return self.metrics.value("notifications", outcome=outcome)


def alerts(*states: AlertState, severity: Severity = "warning", offset: int = 1) -> Entry:
    said = [Alert(state, severity, "flow", START, None, 1.0, "too low") for state in states]
    names = [alert_name("low")] * len(said)
    batch = rows(names, [START] * len(said), [encode_alert(one) for one in said])
    return entry("pump-1", batch, offset=offset)


def test_a_firing_alert_is_sent_at_once_and_names_site_rule_and_device() -> None:
    """What a person needs is in the title."""
    sender = RecordingSender("1")
    site = Site(sender, NotifyConfig(url="x://"))
    site.step(alerts("pending"), alerts("firing"))
    (note,) = sender.taken
    assert note.title == "[plant-a] warning: low on pump-1"
    assert note.body == "firing (warning) low on pump-1: too low"
    assert (site.state, site.count("sent")) == ({}, 1)


def test_pending_and_inactive_alerts_and_readings_are_not_sent() -> None:
    """People hear of what fires and of its end."""
    sender = RecordingSender("1")
    site = Site(sender, NotifyConfig(url="x://"))
    site.step(alerts("pending", "inactive"), entry("d", rows(["flow"], [START], [1.0])))
    assert sender.tried == []


def test_a_target_gets_the_severities_and_states_that_it_asked_for() -> None:
    """The pager gets what is critical, the log everything."""
    sender = RecordingSender("pager", "log")
    site = Site(
        sender,
        NotifyConfig(name="pager", url="x://", severities=("critical",), states=("firing",)),
        NotifyConfig(name="log", url="x://"),
    )
    site.step(alerts("firing", severity="warning", offset=1))
    site.step(alerts("firing", severity="critical", offset=2))
    site.step(alerts("resolved", severity="critical", offset=3))
    assert [(note.target, note.kind) for note in sender.taken] == [
        ("log", "warning"),
        ("log", "critical"),
        ("pager", "critical"),
        ("log", "resolved"),
    ]


def test_a_storm_of_alerts_is_one_notification() -> None:
    """With the first lines and a number."""
    sender = RecordingSender("1")
    Site(sender, NotifyConfig(url="x://")).step(alerts(*["firing"] * 50))
    (note,) = sender.taken
    assert note.title == "[plant-a] warning: 50 alerts"
    assert note.body.splitlines()[-1] == f"… and {50 - NOTIFY_MAX_LINES} more"


def test_a_target_that_is_away_is_tried_with_growing_pauses_and_given_up() -> None:
    """Bounded, and counted."""
    sender = RecordingSender()
    site = Site(sender, NotifyConfig(url="x://"))
    site.step(alerts("firing"))
    for at in range(600):
        site.step(at_s=at)
    assert len(sender.tried) == NOTIFY_MAX_ATTEMPTS
    assert (site.count("failed"), site.count("given_up")) == (NOTIFY_MAX_ATTEMPTS, 1)
    assert site.state == {}


def test_a_dead_target_holds_up_no_other() -> None:
    """Each target has its own queue."""
    sender = RecordingSender("ok")
    site = Site(sender, NotifyConfig(name="dead", url="x://"), NotifyConfig(name="ok", url="x://"))
    for at in range(5):
        site.step(alerts("firing", offset=at + 1), at_s=at)
    assert [note.target for note in sender.taken] == ["ok"] * 5


def test_notes_wait_in_order_and_survive_a_restart() -> None:
    """They are part of the stored state."""
    sender = RecordingSender()
    site = Site(sender, NotifyConfig(url="x://"))
    site.step(alerts("firing", offset=9))
    site.step(alerts("resolved", offset=10))
    site.restart()
    sender.up.add("1")
    site.step(at_s=61)
    site.step(at_s=62)
    assert [note.kind for note in sender.taken] == ["warning", "resolved"]


def test_a_step_whose_commit_failed_does_not_send_twice() -> None:
    """What was taken is remembered until it is on disk."""
    sender = RecordingSender("1")
    site = Site(sender, NotifyConfig(url="x://"))
    site.consumer.step([alerts("firing")], START)
    site.step(alerts("firing"))
    assert len(sender.taken) == 1


def test_what_waits_is_bounded_and_the_oldest_is_given_up() -> None:
    """A mail server that is away for a day costs notes, not memory."""
    sender = RecordingSender()
    site = Site(sender, NotifyConfig(url="x://"))
    for offset in range(1, NOTIFY_MAX_WAITING + 11):
        site.step(alerts("firing", offset=offset))
    assert len(site.state) == NOTIFY_MAX_WAITING
    assert site.count("given_up") == 10


def test_an_alert_reading_that_is_no_alert_is_counted_and_passed_by() -> None:
    """Anyone can name a series alert/x."""
    site = Site(RecordingSender("1"), NotifyConfig(url="x://"))
    site.step(entry("d", rows(["alert/x", "alert/y"], [START] * 2, ["{}", 5.0])))
    assert site.count("unreadable") == 2
