"""Which registers are read together: one request costs a round trip, whatever it carries.

Registers that follow one another in a table become one request, up to what the protocol allows in
one; ``max_gap`` reads along up to so many words that nobody asked for. It is 0 unless set, because
many devices answer a request that touches an unknown address with an exception for all of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from edge_agent.inputs.modbus.registers import BIT_TABLES, ModbusSettings, Register, Table

#: What the Modbus specification allows in one read: 125 words, 2,000 bits.
MAX_WORDS: Final = 125
MAX_BITS: Final = 2_000


@dataclass(frozen=True, slots=True)
class Group:
    """One request and the registers that its answer holds."""

    device_id: int
    table: Table
    address: int
    count: int
    registers: tuple[Register, ...]

    def __str__(self) -> str:
        last = self.address + self.count - 1
        return f"device {self.device_id} {self.table} {self.address}-{last}"


def groups(settings: ModbusSettings) -> list[Group]:
    """The fewest requests that read every register once, in order of device, table and address."""
    found: list[Group] = []
    table = [(settings.device_of(one), one.table, one.address, one) for one in settings.registers]
    for device_id, _, _, register in sorted(table, key=lambda row: row[:3]):
        last = found[-1] if found else None
        if last is not None and last.device_id == device_id and _joins(last, register, settings):
            count = max(last.count, register.end - last.address)
            found[-1] = replace(last, count=count, registers=(*last.registers, register))
        else:
            count = register.end - register.address
            found.append(Group(device_id, register.table, register.address, count, (register,)))
    return found


def _joins(group: Group, register: Register, settings: ModbusSettings) -> bool:
    most = MAX_BITS if group.table in BIT_TABLES else MAX_WORDS
    return (
        register.table == group.table
        and register.address - (group.address + group.count) <= settings.max_gap
        and register.end - group.address <= most
    )
