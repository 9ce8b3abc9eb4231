"""Words of a Modbus answer to numbers.

Modbus sends the high byte of a word first and says nothing about the order of words in a longer
value; devices differ in both, so both are settings. A number that float64 cannot hold exactly, an
infinity or not-a-number (what many meters send for "not measured") is no reading.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Final

from edge_agent.inputs.modbus.plan import Group
from edge_agent.inputs.modbus.registers import BIT_TABLES, Register

_FORMATS: Final = {
    "int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I", "int64": ">q", "uint64": ">Q",
    "float32": ">f", "float64": ">d",
}  # fmt: skip

#: Integers up to here have a float64 of their own.
_MAX_EXACT: Final = 2**53


def value_of(register: Register, group: Group, answer: Sequence[int]) -> float:
    """The reading of one register.

    Raises:
        ValueError: the words hold no number that can be kept.
    """
    at = register.address - group.address
    if register.table in BIT_TABLES:
        return float(answer[at]) * register.scale + register.offset
    words = answer[at : at + register.end - register.address]
    value = _number(register, words) * register.scale + register.offset
    if not math.isfinite(value):
        raise ValueError(f"expected a number, got {value}")
    return value


def _number(register: Register, words: Sequence[int]) -> float:
    if register.word_order == "little":
        words = words[::-1]
    order = "<" if register.byte_order == "little" else ">"
    raw = struct.pack(f"{order}{len(words)}H", *words)
    if register.type in ("bool", "bit"):
        word = int.from_bytes(raw, "big")
        return float(word != 0 if register.bit is None else word >> register.bit & 1)
    number: float = struct.unpack(_FORMATS[register.type], raw)[0]
    if isinstance(number, int) and abs(number) > _MAX_EXACT:
        raise ValueError(f"{number} is beyond what a reading can hold exactly (2**53)")
    return float(number)
