"""Settings of the ``modbus`` input: where the device is, and its register table.

Addresses are those of the protocol, from 0. A manual that writes 40001 means holding register 0, 30001
input register 0, 10001 discrete input 0.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from msgspec import Meta

from headrace.units import is_registered

Table = Literal["holding", "input", "coil", "discrete"]
Type = Literal[
    "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64", "bool", "bit"
]
Order = Literal["big", "little"]

#: 16-bit words that a value takes; a coil is one bit and one address.
WORDS: Final[dict[str, int]] = {
    "int16": 1, "uint16": 1, "int32": 2, "uint32": 2, "int64": 4, "uint64": 4, "float32": 2,
    "float64": 4, "bool": 1, "bit": 1,
}  # fmt: skip

BIT_TABLES: Final = ("coil", "discrete")


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """``[[inputs.registers]]``: one value of the device; reading = number x scale + offset."""

    name: Annotated[str, Meta(min_length=1, max_length=300)]
    address: Annotated[int, Meta(ge=0, le=65_535)]
    table: Table = "holding"
    type: Type = "uint16"
    bit: Annotated[int, Meta(ge=0, le=15)] | None = None
    device_id: Annotated[int, Meta(ge=0, le=255)] | None = None
    byte_order: Order = "big"
    word_order: Order = "big"
    scale: float = 1.0
    offset: float = 0.0
    unit: str = ""

    @property
    def end(self) -> int:
        """The first address behind it."""
        return self.address + WORDS[self.type]

    def problems(self) -> Iterator[tuple[str, str]]:
        """What single fields cannot say."""
        if self.end > 65_536:
            yield "address", f"{self.type} at {self.address} reaches beyond 65535"
        if self.table in BIT_TABLES and self.type != "bool":
            yield "type", f'expected "bool" in table {self.table!r}, got {self.type!r}'
        if (self.type == "bit") != (self.bit is not None):
            yield "bit", f'goes with type = "bit" and only with it, got type {self.type!r}'
        if not self.scale:
            yield "scale", "0 would make every reading the same"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModbusSettings:
    """``[[inputs]] plugin = "modbus"``: over TCP with ``host``, over a serial line with ``serial``."""

    registers: tuple[Register, ...]
    host: str = ""
    port: Annotated[int, Meta(ge=1, le=65_535)] = 502
    serial: str = ""
    baudrate: Annotated[int, Meta(ge=300, le=4_000_000)] = 9_600
    parity: Literal["N", "E", "O"] = "N"
    stopbits: Annotated[int, Meta(ge=1, le=2)] = 1
    device_id: Annotated[int, Meta(ge=0, le=255)] = 1
    interval_s: Annotated[float, Meta(ge=0.05, le=3_600)] = 1.0
    timeout_s: Annotated[float, Meta(gt=0, le=60)] = 0.5
    max_gap: Annotated[int, Meta(ge=0, le=100)] = 0
    prefix: Annotated[str, Meta(max_length=200)] = ""

    def device_of(self, register: Register) -> int:
        """The number of the device that has a register: several share a line, or a gateway's address."""
        return self.device_id if register.device_id is None else register.device_id

    def problems(self) -> list[tuple[str, str]]:
        """What single fields cannot say."""
        found = list(self._connection_problems())
        if not self.registers:
            found.append(("registers", "missing; name at least one ([[inputs.registers]])"))
        for index, register in enumerate(self.registers):
            found += [(f"registers[{index}].{key}", why) for key, why in register.problems()]
        return found + list(self._name_problems()) + list(self._overlaps())

    def warnings(self) -> list[tuple[str, str]]:
        """What is odd and may be meant."""
        return [
            (f"registers[{index}].unit", f"{register.unit!r} is not a SenML unit; sent as it is")
            for index, register in enumerate(self.registers)
            if register.unit and not is_registered(register.unit)
        ]

    def _connection_problems(self) -> Iterator[tuple[str, str]]:
        if importlib.util.find_spec("pymodbus") is None:
            yield "plugin", "needs pymodbus; install it with: pip install 'headrace[agent,modbus]'"
        elif self.serial and importlib.util.find_spec("serial") is None:
            yield "serial", "needs pyserial; install it with: pip install 'headrace[agent,modbus]'"
        if bool(self.host) == bool(self.serial):
            yield "host", "expected host (Modbus TCP) or serial (Modbus RTU), one of the two"
        if self.timeout_s > self.interval_s:
            yield "timeout_s", f"{self.timeout_s} s is longer than interval_s = {self.interval_s}"

    def _name_problems(self) -> Iterator[tuple[str, str]]:
        first: dict[str, int] = {}
        for index, register in enumerate(self.registers):
            before = first.setdefault(register.name, index)
            if before != index:
                yield (
                    f"registers[{index}].name",
                    f"{register.name!r} is taken by registers[{before}]",
                )

    def _overlaps(self) -> Iterator[tuple[str, str]]:
        """Two values in the same words, unless both are bits of one word."""
        for index, register in enumerate(self.registers):
            for before, other in enumerate(self.registers[:index]):
                apart = register.end <= other.address or other.end <= register.address
                bits = register.type == other.type == "bit" and register.bit != other.bit
                same = (register.table, self.device_of(register)) == (
                    other.table,
                    self.device_of(other),
                )
                if same and not apart and not bits:
                    yield (
                        f"registers[{index}].address",
                        f"{register.name!r} ({register.type} at {register.address}) overlaps "
                        f"registers[{before}] {other.name!r} ({other.type} at {other.address})",
                    )
