"""Which registers are read together: one request costs a round trip, whatever it carries.

Registers that follow one another in a table become one request, up to what the protocol allows in
one; ``max_gap`` reads along up to so many words that nobody asked for. It is 0 unless set, because
many devices answer a request that touches an unknown address with an exception for all of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from edge_agent.inputs.modbus.registers import BIT_TABLES, Register, Table

#: What the Modbus specification allows in one read: 125 words, 2,000 bits.
MAX_WORDS: Final = 125
MAX_BITS: Final = 2_000


@dataclass(frozen=True, slots=True)
class Group:
    """One request and the registers that its answer holds."""

    table: Table
    address: int
    count: int
    registers: tuple[Register, ...]

    def __str__(self) -> str:
        return f"{self.table} {self.address}-{self.address + self.count - 1}"


def groups(registers: Iterable[Register], *, max_gap: int) -> list[Group]:
    """The fewest requests that read every register once, in order of table and address."""
    found: list[Group] = []
    for register in sorted(registers, key=lambda one: (one.table, one.address)):
        last = found[-1] if found else None
        if last is not None and _joins(last, register, max_gap):
            count = max(last.count, register.end - last.address)
            found[-1] = Group(last.table, last.address, count, (*last.registers, register))
        else:
            count = register.end - register.address
            found.append(Group(register.table, register.address, count, (register,)))
    return found


def _joins(group: Group, register: Register, max_gap: int) -> bool:
    most = MAX_BITS if group.table in BIT_TABLES else MAX_WORDS
    return (
        register.table == group.table
        and register.address - (group.address + group.count) <= max_gap
        and register.end - group.address <= most
    )
