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
        self._groups = groups(settings.registers, max_gap=settings.max_gap)
        self._link = Link(settings)
        self._complaints = Complaints(_log)

    def poll(self) -> Poll:
        self._link.connect()
        ends_at = self.clock.monotonic() + self.interval_s
        runs: list[Run] = []
        answered = False
        why: TransportError | None = None
        for group in self._groups:
            name = f"{self._link.where} {group}"
            if why is not None and self.clock.monotonic() >= ends_at:
                self._give_up(name, group, "no time left in this poll")
                continue
            try:
                answer = self._link.read(group)
            except ModbusRefusal as error:
                answered = True
                self._complaints.note(name, error.message, reason="modbus_exception",
                                      count=len(group.registers))  # fmt: skip
            except TransportError as error:
                why = error
                self._give_up(name, group, error.message)
            else:
                answered = True
                self._complaints.heal(name)
                runs += self._decode(group, answer)
        if why is not None and not answered:
            self._complaints.take()
            raise why
        return Poll(runs, dropped=self._complaints.take())

    def close(self) -> None:
        self._link.close()

    def _give_up(self, name: str, group: Group, why: str) -> None:
        self._complaints.note(name, why, reason="timeout", count=len(group.registers))

    def _decode(self, group: Group, answer: Sequence[int]) -> list[Run]:
        now = self.clock.now_us()
        runs = []
        for register in group.registers:
            name = self._prefix + register.name
            try:
                value = value_of(register, group, answer)
            except ValueError as error:
                self._complaints.note(name, str(error))
                continue
            self._complaints.heal(name)
            runs.append(single(name, now, value, register.unit))
        return runs
