"""The story of three versions, played by the real programs: ``headrace demo-models``.

A good version reaches everybody. One that was trained on quiet nights alone goes to the canary, does
well there until the morning comes, and is rolled back by the gateway itself. A better one reaches every
gateway and every device. Nothing here decides anything: the story publishes, promotes, lets the sun
rise, and watches.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from headrace.demo.models_plan import (
    HZ,
    ROWS,
    SEEDS,
    UNITS,
    ModelsPlan,
    Site,
    make_models_plan,
    split_recordings,
)
from headrace.demo.processes import Processes
from headrace.demo.run import stopping_on_signals
from headrace.errors import HeadraceError
from headrace.models.machine import Slot
from headrace.models.store import read_slots

_STEP_S: Final = 45.0
_LOOK_S: Final = 0.2
MODEL: Final = "pump"


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere that models run: a gateway, or a pump of its own."""

    name: str
    slots: Path

    def slot(self) -> Slot:
        """The present, as the place has it on disk."""
        found = [slot for slot in read_slots(self.slots) if slot.name == MODEL]
        return found[0] if found else Slot(MODEL)


class Story:
    """Tells it, step by step; any step that does not come true ends it."""

    def __init__(self, plan: ModelsPlan, console: Console, stop: threading.Event) -> None:
        self._plan = plan
        self._console = console
        self._stop = stop
        self._began = time.monotonic()
        self._processes = Processes()
        gateways = [Place(f"gateway {site.name}", plan.slots(site)) for site in plan.sites]
        pumps = [Place(site.thinking, plan.slots(site, site.thinking)) for site in plan.sites]
        self.places = (*gateways, *pumps)
        self.canary = gateways[0]

    def tell(self) -> None:
        """From the first version to the third.

        Raises:
            HeadraceError: a step did not come true.
        """
        with self._processes:
            self._prepare()
            self._first()
            self._second()
            self._third()
            for site in self._plan.sites:
                pumps = [self._plan.agent(site, pump, "night") for pump in site.pumps]
                self._processes.stop(pumps)
            self._processes.stop([site.gateway for site in self._plan.sites])

    def _prepare(self) -> None:
        self._say("recording three pumps, and making a signed repository with keys of its own")
        recordings = []
        for seed in SEEDS:
            recordings.append(self._plan.recording(f"seed-{seed}"))
            words = ("simulate", "--rows", ROWS, "--hz", HZ, "--seed", seed, recordings[-1])
            self._command("edge_agent", *words)
        split_recordings(self._plan, recordings)
        self._cloud("init-repo")
        self._say(
            "starting two sites: north is the canary; the first pump of each runs models itself"
        )
        for site in self._plan.sites:
            self._processes.start(site.gateway)
        for site in self._plan.sites:
            self._start_pumps(site, "night")

    def _first(self) -> None:
        self._publish("t2q", "all", "all", "version 1, from day and night, is for all")
        self._until("version 1 runs everywhere", lambda: self._all(self.places, 1))
        self._until("and has proved good at the canary", lambda: self.canary.slot().proven)

    def _second(self) -> None:
        what = "version 2 has seen quiet nights alone; it goes to the canary first"
        self._publish("autoencoder", "night", "canary", what)
        there = (self.canary,)
        self._until("version 2 runs there: by night it does well", lambda: self._all(there, 2))
        self._say("the sun rises in the north: demand grows, pumps run faster")
        north = self._plan.sites[0]
        self._processes.stop([self._plan.agent(north, pump, "night") for pump in north.pumps])
        self._start_pumps(north, "day")
        self._until("version 2 is rolled back, by nobody's hand", lambda: self._all(there, 1))
        self._say(f"  {self.canary.slot().refused[-1].reason}")

    def _third(self) -> None:
        self._publish(
            "autoencoder", "all", "all", "version 3, from day and night again, is for all"
        )
        self._until("version 3 runs everywhere", lambda: self._all(self.places, 3))

    def _all(self, places: tuple[Place, ...], version: int) -> bool:
        return all(place.slot().active == version for place in places)

    def _start_pumps(self, site: Site, time_of_day: str) -> None:
        for pump in site.pumps:
            self._processes.start(self._plan.agent(site, pump, time_of_day))

    # --- commands ---------------------------------------------------------------------------------

    def _publish(self, recipe: str, recording: str, to: str, what: str) -> None:
        self._say(f"training: {what}")
        folder = self._plan.data / "trained"
        units = [word for name, unit in UNITS.items() for word in ("--unit", f"{name}={unit}")]
        self._command(
            "cloud_sync", "models", "train", "--recipe", recipe, "--name", MODEL, "--out", folder,
            "--csv", self._plan.recording(recording), "--align-s", 1 / HZ, "--max-epochs", 20, *units,
        )  # fmt: skip
        self._cloud("publish", folder)
        version = len(list((self._plan.repository / "targets" / "models" / MODEL).iterdir()))
        self._cloud("promote", MODEL, version, "--to", to)

    def _cloud(self, verb: str, *words: object) -> None:
        where = ("--repo", self._plan.repository, "--keys", self._plan.keys)
        self._command("cloud_sync", "models", verb, *words, *where)

    def _command(self, module: str, *words: object) -> None:
        argv = [sys.executable, "-m", module, *map(str, words)]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode:
            raise HeadraceError(f"{' '.join(argv[2:])} failed: {done.stderr.strip()}")

    # --- watching ---------------------------------------------------------------------------------

    def _until(self, what: str, come_true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _STEP_S
        while not come_true():
            self._processes.check()
            if self._stop.wait(_LOOK_S):
                raise HeadraceError("stopped before the story was over")
            if time.monotonic() > deadline:
                raise HeadraceError(f"waited {_STEP_S:.0f} s: {what}\n{self._state()}")
        self._say(what, style="green")

    def _state(self) -> str:
        slots = [(place.name, place.slot()) for place in self.places]
        return "\n".join(
            f"{name}: active {slot.active}, candidate {slot.candidate} ({slot.phase}) {slot.waiting}"
            for name, slot in slots
        )

    def _say(self, text: str, style: str = "") -> None:
        elapsed = time.monotonic() - self._began
        self._console.print(
            f"{elapsed:5.1f} s  {text}", style=style, highlight=False, soft_wrap=True
        )


def run_models_demo(data: Path, console: Console) -> None:
    """Play the story in a folder of its own; what an earlier run left there is removed.

    Raises:
        HeadraceError: something did not come true.
    """
    data = data.absolute()
    if data.exists() and not (data / "repository").is_dir() and any(data.iterdir()):
        raise HeadraceError(f"{data} holds something else", hint="name another folder with --data")
    shutil.rmtree(data, ignore_errors=True)
    plan = make_models_plan(data)
    stop = threading.Event()
    with stopping_on_signals(stop):
        story = Story(plan, console, stop)
        story.tell()
    console.print(_table(story.places))
    console.print("what each gateway wrote down, for example:", highlight=False)
    console.print(f"  gateway models status --config {plan.data / 'north.toml'}", highlight=False, soft_wrap=True)  # fmt: skip


def _table(places: tuple[Place, ...]) -> Table:
    table = Table(title="where which version runs now", title_justify="left")
    for title in ("place", "version", "fall back to", "refused"):
        table.add_column(title)
    for place in places:
        slot = place.slot()
        refused = "; ".join(f"{one.version}: {one.reason}" for one in slot.refused)
        fallbacks = ", ".join(map(str, slot.fallbacks))
        table.add_row(place.name, str(slot.active), fallbacks, refused)
    return table
