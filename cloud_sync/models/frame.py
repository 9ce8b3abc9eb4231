"""CSV files to one matrix of features: a time column and one column a series."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from headrace.errors import UsageError

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Frame:
    """Rows of features; ``files`` has one matrix per file, in the order they were given."""

    features: tuple[str, ...]
    files: tuple[Matrix, ...]


def read_frames(
    paths: Sequence[Path], *, time_column: str, without: Sequence[str], delimiter: str
) -> Frame:
    """Read CSV files that have the same columns.

    Args:
        without: columns that are no features (labels, for example); the time column never is one.

    Raises:
        UsageError: a file cannot be read, has other columns, or a cell is not a number.
    """
    tables = [_read(path, delimiter) for path in paths]
    header = tables[0][0]
    for path, (other, _) in zip(paths, tables, strict=True):
        if other != header:
            raise UsageError(f"{path}: expected the columns {header}, got {other}")
    features = [name for name in header if name != time_column and name not in without]
    if time_column not in header or not features:
        raise UsageError(
            f"{paths[0]}: expected a column {time_column!r} and features, got {header}",
            hint="name the time column with --time-column",
        )
    wanted = [header.index(name) for name in features]
    matrices = [_numbers(path, rows, wanted) for path, (_, rows) in zip(paths, tables, strict=True)]
    return Frame(tuple(features), tuple(matrices))


def _read(path: Path, delimiter: str) -> tuple[list[str], list[list[str]]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.reader(file, delimiter=delimiter) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path}: cannot be read as CSV: {error}") from error
    if len(rows) < 2:
        raise UsageError(f"{path}: expected a header line and rows, got {len(rows)} lines")
    return rows[0], rows[1:]


def _numbers(path: Path, rows: list[list[str]], wanted: Sequence[int]) -> Matrix:
    try:
        matrix = np.array([[float(row[column]) for column in wanted] for row in rows])
    except (ValueError, IndexError) as error:
        raise UsageError(f"{path}: every cell of a feature must be a number: {error}") from error
    if not np.isfinite(matrix).all():
        raise UsageError(f"{path}: every cell of a feature must be finite")
    return matrix
