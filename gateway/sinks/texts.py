"""Columns of text made of columns: what the formats that are written by hand share."""

from __future__ import annotations

from typing import Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

TEXT: Final = pa.large_utf8()


def quoted(text: str) -> str:
    """A JSON string."""
    return msgspec.json.encode(text).decode()


def join(*parts: pa.Array | str) -> pa.Array:
    """Columns and words side by side, row by row; null where a column is null."""
    words = [pa.scalar(part, TEXT) if isinstance(part, str) else part for part in parts]
    return pc.binary_join_element_wise(*words, pa.scalar("", TEXT))
