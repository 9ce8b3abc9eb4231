"""The ``modbus`` input: each poll asks for every group of registers once.

A group that the device refuses or does not answer is dropped and counted, and the rest goes on. A
device that is not there at all is a failure of the input. A poll ends at its interval: on a line
where every question times out, what is left is counted as ``timeout`` and not asked.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from edge_agent.inputs.modbus.decode import value_of
from edge_agent.inputs.modbus.link import Link, ModbusRefusal
from edge_agent.inputs.modbus.plan import Group, groups
from edge_agent.inputs.modbus.registers import ModbusSettings
from edge_agent.inputs.port import Input
from edge_agent.inputs.values import Complaints
from edge_agent.readings import Poll, Run, single
from headrace.errors import TransportError

_log = logging.getLogger(__name__)


class ModbusInput(Input):
    """Registers of one device as readings."""

    def __init__(self, settings: ModbusSettings) -> None:
        self.interval_s = settings.interval_s
        self._prefix = settings.prefix
        self._groups = groups(settings)
        self._link = Link(settings)
        self._complaints = Complaints(_log)

    def poll(self) -> Poll:
        self._link.connect()
        ends_at = self.clock.monotonic() + self.interval_s
        runs: list[Run] = []
        silent: TransportError | None = None
        answered = False
        for place, group in enumerate(self._groups):
            if silent is not None and self.clock.monotonic() >= ends_at:
                self._leave(place)
                break
            try:
                runs += self._read(group)
                answered = True
            except TransportError as error:
                silent = error
                self._give_up(group, error.message)
        dropped = self._complaints.take()
        if silent is not None and not answered:
            raise silent
        return Poll(runs, dropped=dropped, widened=self._complaints.take_widened())

    def close(self) -> None:
        self._link.close()

    def _read(self, group: Group) -> list[Run]:
        """The readings of a group; a refusal is counted, silence is raised."""
        try:
            answer = self._link.read(group)
        except ModbusRefusal as error:
            self._complaints.note(
                self._name(group), error.message,
                reason="modbus_exception", count=len(group.registers),
            )  # fmt: skip
            return []
        self._complaints.heal(self._name(group))
        return self._decode(group, answer)

    def _leave(self, place: int) -> None:
        """No time for the groups from ``place`` on: they come first in the next poll.

        One dead device on a line would else keep those behind it from ever being asked.
        """
        for group in self._groups[place:]:
            self._give_up(group, "no time left in this poll")
        self._groups = self._groups[place:] + self._groups[:place]

    def _give_up(self, group: Group, why: str) -> None:
        self._complaints.note(self._name(group), why, reason="timeout", count=len(group.registers))

    def _name(self, group: Group) -> str:
        return f"{self._link.where} {group}"

    def _decode(self, group: Group, answer: Sequence[int]) -> list[Run]:
        now = self.clock.now_us()
        runs = []
        for register in group.registers:
            name = self._prefix + register.name
            try:
                value, widened = value_of(register, group, answer)
            except ValueError as error:
                self._complaints.note(name, str(error))
                continue
            self._complaints.heal(name)
            if widened:
                self._complaints.widened(name)
            runs.append(single(name, now, value, register.unit))
        return runs
