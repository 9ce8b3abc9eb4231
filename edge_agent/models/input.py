"""The input that scores what the other inputs read.

It is an input like any other: polled in a thread of its own, its scores are readings of this device
(``edge-model/<name>/score`` and ``/relative``), buffered and acknowledged like the rest. Names that
begin with ``model/`` are the gateway's. A model that stalls holds up this input until its deadline,
and no other.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import msgspec

from edge_agent import readings
from edge_agent.inputs.port import Input
from edge_agent.models.config import ModelsSettings
from edge_agent.models.desk import Desk
from edge_agent.models.lane import DeviceLane
from edge_agent.models.tap import Seen, Tapped
from edge_agent.readings import Poll
from headrace.clock import Clock
from headrace.derived import device_event_name
from headrace.models import machine
from headrace.models.fit import judge
from headrace.models.live import LiveSlot
from headrace.models.machine import Step
from headrace.models.place import Place
from headrace.models.poller import Poller
from headrace.models.remote import Question, RemoteClient
from headrace.models.run import Run
from headrace.models.store import SlotStore

KEY = "models"

Slots = dict[str, LiveSlot[Sequence[readings.Run], readings.Run]]


class ModelsInput(Input):
    """All models of this device."""

    def __init__(self, settings: ModelsSettings, device: str, seen: Seen, desk: Desk) -> None:
        self.interval_s = settings.interval_s
        self._settings = settings
        self._device = device
        self._seen = seen
        self._desk = desk
        self._slots: Slots = {}
        self._telling: list[Step] = []

    def open(self, *, clock: Clock, checkpoint: str | None) -> None:
        super().open(clock=clock, checkpoint=checkpoint)
        self._store = SlotStore(self._settings.folder / "slots", clock)
        for slot in self._store.all():
            # On disk before anything of it runs: what takes the device down is counted.
            self._store.change(slot.name, machine.started)
            self._slots[slot.name] = self._make(slot.name)
        self._poller = Poller(self._place(clock))
        self._desk.on_hint(self._poller.hint)
        self._say()
        self._poller.start()

    def poll(self) -> Poll:
        self._forget_told()
        seen, found = self._seen.take(), []
        for slot in self._store.all():
            live = self._slots.setdefault(slot.name, self._make(slot.name))
            found += live.step(seen, self.clock.now_us())
            live.committed()
        self._telling = [step for slot in self._store.all() for step in slot.untold]
        self._say()
        return Poll(found + [_told(step) for step in self._telling])

    def close(self) -> None:
        self._poller.stop()
        for live in self._slots.values():
            live.close()
        for slot in self._store.all():
            self._store.change(slot.name, lambda now, _at: machine.stopped(now))

    def _say(self) -> None:
        self._desk.say(self._store.all(), self._poller.look.serial)

    def _forget_told(self) -> None:
        """The last poll has been taken: what it said need not be said again."""
        telling, self._telling = self._telling, []
        for name in {step.model for step in telling}:
            self._store.change(name, lambda now, _at: machine.told(now, telling))

    def _make(self, name: str) -> LiveSlot[Sequence[readings.Run], readings.Run]:
        return LiveSlot(
            name,
            self._settings.trial,
            self._store,
            folder_of=lambda version: self._settings.folder / "repository" / "models" / name / str(version),
            make_lane=DeviceLane,
            switched=lambda _to: None,
        )  # fmt: skip

    def _offer(self, run: Run) -> None:
        name = run.manifest.name
        self._slots.setdefault(name, self._make(name)).offer(run)

    def _place(self, clock: Clock) -> Place:
        settings = self._settings
        return Place(
            folder=settings.folder,
            labels={**settings.labels, "device": self._device},
            fixed=(),
            interval_s=settings.poll_interval_s,
            inputs_wait_s=settings.inputs_wait_s,
            mirrors=False,
            repository=RemoteClient(_question(settings)),
            store=self._store,
            clock=clock,
            trial=lambda _name: settings.trial,
            fit=lambda manifest: judge(manifest, {self._device: self._seen.series()}),
            offer=self._offer,
            changed=lambda: None,
            tick=lambda: None,
        )


def with_models(
    sources: Sequence[tuple[str, Input]], settings: ModelsSettings, device: str, desk: Desk
) -> list[tuple[str, Input]]:
    """The inputs, each seen by the models, and the models behind them."""
    seen = Seen()
    tapped: list[tuple[str, Input]] = [(key, Tapped(source, seen)) for key, source in sources]
    return [*tapped, (KEY, ModelsInput(settings, device, seen, desk))]


def _question(settings: ModelsSettings) -> Question:
    return Question(
        verb="",
        folder=str(settings.folder / "repository"),
        source=settings.source,
        root=str(settings.root or ""),
        ca=str(settings.ca or ""),
        cert=str(settings.cert or ""),
        key=str(settings.key or ""),
    )


def _told(step: Step) -> readings.Run:
    text = msgspec.json.encode(
        {"version": step.version, "state": step.state, "reason": step.reason}
    )
    return readings.Run(device_event_name(step.model), array("q", [step.at]), [text.decode()])
