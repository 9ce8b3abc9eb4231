"""The story of three versions, played by the real programs: ``headrace demo-models``.

Yesterday's readings reach the lake through agents, gateways and cloud_sync; every version is trained
there, on a range of time and on devices. A good version reaches everybody. One that was trained on quiet
nights alone goes to the canary, does well there until the morning comes, and is rolled back by the
gateway itself. A better one reaches every gateway and every device. Nothing here decides anything: the
story publishes, promotes, nudges, lets the sun rise, and watches.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from headrace.demo.models_days import HZ, ROWS, write_days, yesterday
from headrace.demo.models_plan import ModelsPlan, Site, make_models_plan
from headrace.demo.models_reports import Reports
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
    """A gateway."""

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
        self._midnight = yesterday()
        self._processes = Processes()
        self._reports = Reports(MODEL, (site.mqtt for site in plan.sites))
        self.gateways = [Place(f"gateway {site.name}", plan.slots(site)) for site in plan.sites]
        self.canary = self.gateways[0]

    def tell(self) -> None:
        """From the first version to the third.

        Raises:
            HeadraceError: a step did not come true.
        """
        with self._processes:
            self._yesterday()
            self._today()
            self._first()
            self._second()
            self._third()
            self._console.print(self._table())
            for site in self._plan.sites:
                pumps = [self._plan.agent(site, pump, "night") for pump in site.pumps]
                self._processes.stop(pumps)
            self._processes.stop([site.gateway for site in self._plan.sites])

    def close(self) -> None:
        self._reports.close()

    def _yesterday(self) -> None:
        self._say("recording four pumps, and starting two sites with two of them each")
        recordings = {pump: self._plan.recording(pump) for _, pump in self._pumps()}
        for seed, path in enumerate(recordings.values(), start=101):
            self._command(
                "edge_agent", "simulate", "--rows", ROWS, "--hz", HZ, "--seed", seed, path
            )
        night, day = self._plan.recording("night"), self._plan.recording("day")
        write_days(recordings, self._midnight, night, day)
        self._cloud("init-repo")
        for site in self._plan.sites:
            self._processes.start(site.gateway)
        with Processes() as agents:
            for site, pump in self._pumps():
                agents.start(self._plan.history(site, pump))
            self._until("yesterday's readings are at the gateways", agents.have_ended)
        # The north registers for both, so it comes last.
        for site in reversed(self._plan.sites):
            self._command("cloud_sync", "once", "--config", self._plan.cloud_sync(site))
        self._say("yesterday's readings are in the lake", style="green")

    def _today(self) -> None:
        thinking = [pump for site in self._plan.sites for pump in site.thinking]
        self._say(f"it is night; {', '.join(thinking)} run models themselves")
        for site in self._plan.sites:
            self._start_pumps(site, "night")

    def _first(self) -> None:
        self._publish("t2q", 24, "all", "version 1, from night and day, is for all")
        self._everywhere(1)
        self._until("and has proved good at the canary", lambda: self.canary.slot().proven)

    def _second(self) -> None:
        what = "version 2, from the nights of the north alone, goes to the canary first"
        self._publish("autoencoder", 6, "canary", what, devices="north-*")
        self._until("version 2 runs there: by night it does well", lambda: self._canary_runs(2))
        self._say("the sun rises in the north: demand grows, pumps run faster")
        north = self._plan.sites[0]
        self._processes.stop([self._plan.agent(north, pump, "night") for pump in north.pumps])
        self._start_pumps(north, "day")
        self._until("version 2 is rolled back, by nobody's hand", lambda: self._canary_runs(1))
        self._say(f"  {self.canary.slot().refused[-1].reason}")

    def _third(self) -> None:
        self._publish("autoencoder", 24, "all", "version 3, from night and day again, is for all")
        self._everywhere(3)

    def _everywhere(self, version: int) -> None:
        self._until(
            f"version {version} runs at both gateways",
            lambda: all(place.slot().active == version for place in self.gateways),
        )
        self._until(
            f"and all four devices report version {version}",
            lambda: all(self._reports.of(pump).version == version for _, pump in self._pumps()),
        )

    def _canary_runs(self, version: int) -> bool:
        return self.canary.slot().active == version

    def _pumps(self) -> list[tuple[Site, str]]:
        return [(site, pump) for site in self._plan.sites for pump in site.pumps]

    def _start_pumps(self, site: Site, time_of_day: str) -> None:
        for pump in site.pumps:
            self._processes.start(self._plan.agent(site, pump, time_of_day))

    # --- commands ---------------------------------------------------------------------------------

    def _publish(
        self, recipe: str, until_hour: int, to: str, what: str, devices: str = "*"
    ) -> None:
        """Train on yesterday up to an hour, sign, promote and nudge."""
        self._say(f"training: {what}")
        folder = self._plan.data / "trained"
        self._command(
            "cloud_sync", "models", "train", "--recipe", recipe, "--name", MODEL, "--out", folder,
            "--config", self._plan.cloud_sync(self._plan.sites[0]), "--devices", devices,
            "--from", self._midnight.isoformat(),
            "--to", (self._midnight + timedelta(hours=until_hour)).isoformat(),
            "--align-s", 1 / HZ, "--max-epochs", 20,
        )  # fmt: skip
        lineage = json.loads((folder / "manifest.json").read_bytes())["lineage"]
        self._say(
            f"  its card: {lineage['rows']} rows of {lineage['table']} at snapshot "
            f"{lineage['snapshot']}, {lineage['first'][11:19]} to {lineage['last'][11:19]}"
        )
        self._cloud("publish", folder)
        version = len(list((self._plan.repository / "targets" / "models" / MODEL).iterdir()))
        nudges = [word for site in self._plan.sites for word in ("--nudge", site.url)]
        token = ("--nudge-token-file", self._plan.token)
        self._cloud("promote", MODEL, version, "--to", to, *nudges, *token)

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
        slots = [(place.name, place.slot()) for place in self.gateways]
        lines = [
            f"{name}: active {slot.active}, candidate {slot.candidate} ({slot.phase}) {slot.waiting}"
            for name, slot in slots
        ]
        return "\n".join(lines + [f"{pump}: {self._reports.of(pump)}" for _, pump in self._pumps()])

    def _table(self) -> Table:
        table = Table(title="which version runs where", title_justify="left")
        for title in ("place", "version", "run by", "fall back to", "refused"):
            table.add_column(title)
        for place in self.gateways:
            slot = place.slot()
            refused = "; ".join(f"{one.version}: {one.reason}" for one in slot.refused)
            fallbacks = ", ".join(map(str, slot.fallbacks))
            table.add_row(place.name, str(slot.active), "itself", fallbacks, refused)
        for site, pump in self._pumps():
            report = self._reports.of(pump)
            runner = "itself" if report.where == "device" else f"gateway {site.name}"
            table.add_row(pump, str(report.version), runner, "", "")
        return table

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
        try:
            story.tell()
        finally:
            story.close()
    console.print("what each gateway wrote down, for example:", highlight=False)
    console.print(f"  gateway models status --config {plan.data / 'north.toml'}", highlight=False, soft_wrap=True)  # fmt: skip
