"""The thread that looks at the repository: at intervals, when it is nudged, and when it is asked to.

Everything slow stands here: the network, TUF, starting a process and its golden vectors (``bring``).
The consumer's thread is handed a version that is loaded and right, and decides the rest.

A repository that is away or says something forged, older or expired changes nothing: what runs goes
on, what it said last still holds, and the fault is said once (log, ``reported``, ``models status``).

``nudge`` is somebody of this machine who wants a look (a signal, a command): at once. ``hint`` is
somebody outside who says that there is something new. It is believed in nothing but that it may be
worth a look, and looks for its sake are ``MODELS_HINT_PAUSE_S`` apart; a hint within the pause is kept.
"""

from __future__ import annotations

import logging
import threading
from typing import Final

from headrace.errors import HeadraceError
from headrace.limits.agent import RETRY_MAX_S
from headrace.limits.edge_models import MODELS_HINT_PAUSE_S
from headrace.logs import Condition
from headrace.models import machine, requests
from headrace.models.bring import Bringer
from headrace.models.place import Look, Place, read_look, write_look
from headrace.models.repository import Assignments
from headrace.models.requests import Request

logger = logging.getLogger(__name__)

#: Seconds between two looks for requests, and at a version that waits for its inputs.
_ROUND_S: Final = 1.0

#: Seconds that a stop waits for the round in hand.
_STOP_S: Final = 5.0


class Poller:
    """Looks at the repository of one place."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._store = place.store
        self._client = place.repository
        self._bringer = Bringer(place)
        self._condition = Condition(logger, "model repository")
        self._disk = Condition(logger, f"models in {place.folder}")
        self._stopping = threading.Event()
        self._woken = threading.Event()
        self._nudged = threading.Event()
        self._hinted = threading.Event()
        self._thread = threading.Thread(target=self._run, name="models-poller", daemon=True)
        self.look = read_look(place.folder)

    def start(self) -> None:
        self._thread.start()

    def nudge(self) -> None:
        """Look now; from any thread or signal handler."""
        self._nudged.set()
        self._woken.set()

    def hint(self, serial: int | None = None) -> None:
        """Somebody says that the repository has changed; from any thread.

        Args:
            serial: what it is said to be at; one that was seen already is no news.
        """
        if serial is None or serial > self.look.serial:
            self._hinted.set()
            self._woken.set()

    def stop(self) -> None:
        """End the thread. A download in hand is not waited for: whatever it gives is fetched again."""
        self._stopping.set()
        self._woken.set()
        if self._thread.ident is not None:
            self._thread.join(_STOP_S)

    # --- one round --------------------------------------------------------------------------------

    def _run(self) -> None:
        looked, due = float("-inf"), self._place.clock.monotonic()
        while not self._stopping.is_set():
            # Cleared before the flags are read: what is set from now on wakes the next round.
            self._woken.clear()
            try:
                if self._requests() or self._is_due(looked, due):
                    self.round()
                    looked = self._place.clock.monotonic()
                    due = looked + self._pause_s()
                else:
                    self.bring_all()
                self._place.tick()
            except HeadraceError as error:
                # A full disk, say. What runs goes on, and the next round tries again.
                self._disk.bad(error)
            else:
                self._disk.good()
            self._woken.wait(_ROUND_S)

    def _is_due(self, looked: float, due: float) -> bool:
        now = self._place.clock.monotonic()
        hinted = self._hinted.is_set() and now >= looked + MODELS_HINT_PAUSE_S
        if not (hinted or self._nudged.is_set() or now >= due):
            return False
        # Before the look: what is said while it goes on stands for another one.
        self._hinted.clear()
        self._nudged.clear()
        return True

    def _pause_s(self) -> float:
        """Until the next look: not a whole interval where this one failed."""
        interval_s = self._place.interval_s
        return min(interval_s, RETRY_MAX_S) if self.look.error else interval_s

    def round(self) -> None:
        """Look at the repository once, and bring every candidate as far as it goes."""
        assignments = self._refresh()
        if assignments is not None:
            self._bringer.assign(assignments)
        self.bring_all()
        if assignments is not None:
            self._tidy(assignments)
        self._place.changed()

    def _refresh(self) -> Assignments | None:
        error = ""
        try:
            assignments: Assignments | None = self._client.refresh()
            self._condition.good()
        except HeadraceError as failure:
            # Also what does not heal by itself: a repository signed again is accepted again.
            self._condition.bad(failure)
            error = str(failure)
            assignments = self._client.assignments()
        serial = assignments.serial if assignments else 0
        self.look = Look(at=self._place.clock.now_us(), serial=serial, error=error)
        write_look(self._place.folder, self.look)
        return assignments

    def bring_all(self) -> None:
        """Bring every candidate as far as it goes now."""
        self._bringer.bring_all()

    # --- requests, tidying ------------------------------------------------------------------------

    def _requests(self) -> bool:
        taken = requests.take(self._place.folder / "requests")
        for request in taken:
            self._do(request)
        return bool(taken)

    def _do(self, request: Request) -> None:
        if request.verb == "rollback":
            reason = request.reason or "asked for"
            self._bringer.change(request.model, lambda now, at: machine.step_back(now, reason, at))
        elif request.verb == "retry" and request.version is not None:
            version = request.version
            self._bringer.change(request.model, lambda now, _at: machine.forgive(now, version))

    def _tidy(self, assignments: Assignments) -> None:
        """Keep what slots need, and what devices behind the mirror may ask for."""
        wanted = {(slot.name, version) for slot in self._store.all() for version in slot.kept}
        if self._place.mirrors:
            last = {(each.model, each.to): each.version for each in assignments.promotions}
            for (name, _), version in last.items():
                if not assignments.is_revoked(name, version) and self._mirrors(name, version):
                    wanted.add((name, version))
        self._client.prune(wanted)

    def _mirrors(self, name: str, version: int) -> bool:
        try:
            self._client.fetch(name, version)
        except HeadraceError as error:
            logger.info("model %s %d is not mirrored yet: %s", name, version, error)
            return False
        return True
