"""Words of a Modbus answer to numbers.

Modbus sends the high byte of a word first and says nothing about the order of words in a longer
value; devices differ in both, so both are settings. An infinity or not-a-number (what many meters send
for "not measured") is no reading; an integer beyond 2**53 is the float64 nearest to it (decision 23).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Final

from edge_agent.inputs.modbus.plan import Group
from edge_agent.inputs.modbus.registers import BIT_TABLES, Register
from edge_agent.inputs.values import is_widened

_FORMATS: Final = {
    "int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I", "int64": ">q", "uint64": ">Q",
    "float32": ">f", "float64": ">d",
}  # fmt: skip


def value_of(register: Register, group: Group, answer: Sequence[int]) -> tuple[float, bool]:
    """The reading of one register, and whether its integer had to become the nearest float64.

    Raises:
        ValueError: the words hold no number that can be kept.
    """
    at = register.address - group.address
    if register.table in BIT_TABLES:
        return float(answer[at]) * register.scale + register.offset, False
    words = answer[at : at + register.end - register.address]
    number = _number(register, words)
    value = float(number) * register.scale + register.offset
    if not math.isfinite(value):
        raise ValueError(f"expected a number, got {value}")
    return value, is_widened(number, float(number))


def _number(register: Register, words: Sequence[int]) -> float | int:
    if register.word_order == "little":
        words = words[::-1]
    order = "<" if register.byte_order == "little" else ">"
    raw = struct.pack(f"{order}{len(words)}H", *words)
    if register.type in ("bool", "bit"):
        word = int.from_bytes(raw, "big")
        return float(word != 0 if register.bit is None else word >> register.bit & 1)
    number: float | int = struct.unpack(_FORMATS[register.type], raw)[0]
    return number
