"""A question from its text to its answer: check, look ahead, collect what is needed, run.

::

    statement   one statement that reads, with its parameters
    planner     which rows of which tables it needs, by DuckDB's optimizer over empty tables
    sources     the files and batches that can hold such rows, each reading in exactly one place
    engine      a DuckDB of its own over these, locked
    answer      the result as it comes, and what was read for it

Each question looks at the sources anew. What stays between two questions is the catalogue's connection
and the empty tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
from pyiceberg.catalog import Catalog

from headrace.errors import LakeError, QueryError, QueryStopped
from headrace.lake.catalogue import exists, open_catalogue
from headrace.lake.config import Lake
from headrace.lake.readings import READINGS_SCHEMA
from headrace.query.config import Place
from headrace.query.engine import Bounds, DerivedFiles, Engine, More
from headrace.query.latest import collect_latest, of_series
from headrace.query.planner import Planner
from headrace.query.predicate import NOTHING, any_of
from headrace.query.series import collect_series
from headrace.query.sources import File, Sources, collect, registered_files
from headrace.query.statement import EVERY, Parameters, Statement
from headrace.query.tables import derived

#: Names that are views of our own; any other may be a derived table.
OWN: Final = frozenset({"readings", "series", "alerts", "models", "latest"})

_NOTHING: Final = Sources((), READINGS_SCHEMA.empty_table())


@dataclass(frozen=True, slots=True)
class Read:
    """What was read for an answer: files, how many were left out, and readings of the journal's tail."""

    files: tuple[File, ...]
    skipped: int
    tail: int
    notes: tuple[str, ...]
    has_looked: bool

    def describe(self, lake: Lake) -> str:
        """Files that were read, one a line by its place in the lake, and how many were not."""
        size = sum(file.bytes or 0 for file in self.files)
        lines = [
            f"{len(self.files)} of {len(self.files) + self.skipped} files, {size:,} bytes; "
            f"{self.tail:,} readings of the journal's tail"
        ]
        lines += [
            f"{file.origin}  {file.rows or '?'} rows  {_place_in(lake, file.uri)}"
            for file in self.files
        ]
        return "\n".join(lines)

    @property
    def found_nothing(self) -> bool:
        """Whether there is no file and no tail at all, as before the first reading.

        Not of a statement that asks no table (``SELECT 1``).
        """
        return self.has_looked and not (self.files or self.skipped or self.tail)


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a statement, as it comes."""

    reader: pa.RecordBatchReader
    read: Read


class Questions:
    """Asks one place; one question at a time, which another thread may interrupt.

    Args:
        for_strangers: who asks must not learn where on this machine files are.
    """

    def __init__(
        self, place: Place, bounds: Bounds | None = None, *, for_strangers: bool = False
    ) -> None:
        self._place = place
        self._for_strangers = for_strangers
        self._bounds = bounds or Bounds()
        self._catalogue: Catalog | None = None
        self._planner = Planner()
        self._running: Engine | Planner | None = None
        self._is_stopped = False

    def close(self) -> None:
        """Let go of the planner's memory."""
        self._planner.close()

    def interrupt(self) -> None:
        """End the question that is asked now, from another thread: it raises QueryStopped."""
        self._is_stopped = True
        running = self._running
        if running is not None:
            running.interrupt()

    @contextmanager
    def ask(self, sql: str, parameters: Parameters = None) -> Iterator[Answer]:
        """The answer, to be read inside of the block.

        Raises:
            QueryError: not one statement, not a reading one, or wrong; QueryStopped: interrupted.
            LakeError: store or catalogue do not answer.
        """
        self._is_stopped = False
        self._running = self._planner
        try:
            checked = self._planner.read(sql, parameters)
            if checked.analyzes and self._for_strangers:
                raise QueryError(
                    "EXPLAIN ANALYZE is not accepted here: it names files of the server",
                    hint="EXPLAIN, without ANALYZE, says which files are read",
                )
            engine, read = self._collect(checked)
            with engine:
                self._running = engine
                self._go_on()
                reader = engine.query(sql, parameters)
                if checked.explains:
                    reader = _explained(reader, read.describe(self._place.lake))
                yield Answer(reader, read)
        except LakeError:
            self._catalogue = (
                None  # its connection may be what failed: the next question opens it anew
            )
            raise
        except RecursionError as error:
            raise QueryError(
                "the statement is nested too deeply to be checked",
                hint="a list (IN (…)) or a join with VALUES says the same of many devices",
            ) from error
        finally:
            self._running = None

    def _collect(self, checked: Statement) -> tuple[Engine, Read]:
        lake, journal, catalogue = self._place.lake, self._place.journal, self._open_catalogue()
        tables = derived(catalogue, checked.tables - OWN)
        needs = self._planner.needs(checked, tables)
        self._go_on()
        latest, wanted = None, needs.of("readings")
        if (of_latest := needs.of("latest")) != NOTHING:
            latest = collect_latest(lake, journal, of_latest)
            # Where no state is kept, the newest reading of a series is looked for in all of them.
            wanted = wanted if latest is not None else any_of([wanted, of_series(of_latest)])
        series = None
        if (of_series_ := needs.of("series")) != NOTHING:
            series = collect_series(lake, journal, catalogue, of_series_)
            wanted = wanted if series is not None else any_of([wanted, of_series(of_series_)])
        sources = _NOTHING if wanted == NOTHING else collect(lake, journal, wanted, catalogue)
        found = [(each, registered_files(each.table, needs.of_derived(each))) for each in tables]
        self._go_on()
        more = More(
            latest=latest,
            series=series,
            derived=[DerivedFiles(each.name, each.schema, files) for each, (files, _) in found],
            views=None if EVERY in checked.tables else _without_schema(checked.tables),
        )
        since = [each.since for each in (latest, series) if each is not None]
        kept = [(list(series.files), series.skipped)] if series is not None else []
        read = _read([sources, *since], [*kept, *(each for _, each in found)])
        return Engine(sources, lake, more=more, bounds=self._bounds), read

    def _open_catalogue(self) -> Catalog | None:
        if self._catalogue is None and exists(self._place.lake):
            self._catalogue = open_catalogue(self._place.lake)
        return self._catalogue

    def _go_on(self) -> None:
        if self._is_stopped:
            raise QueryStopped("the statement was stopped")


def _without_schema(tables: frozenset[str]) -> frozenset[str]:
    return frozenset(table.rpartition(".")[2] for table in tables)


def _read(sources: Sequence[Sources], derived: Sequence[tuple[list[File], int]]) -> Read:
    files = [file for each in sources for file in each.files]
    return Read(
        files=(*files, *(file for found, _ in derived for file in found)),
        skipped=sum(each.skipped for each in sources) + sum(skipped for _, skipped in derived),
        tail=sum(each.tail.num_rows for each in sources),
        notes=tuple(dict.fromkeys(note for each in sources for note in each.notes)),
        has_looked=any(each is not _NOTHING for each in sources),
    )


def _place_in(lake: Lake, uri: str) -> str:
    """Where in the lake a file is, or in another bucket; of one elsewhere on this machine its name alone."""
    root = str(lake.folder) if lake.is_local else lake.uri.rstrip("/")
    path = uri.removeprefix("file://")
    if path.startswith(f"{root}/"):
        return path.removeprefix(f"{root}/")
    return path.partition("://")[2].partition("/")[2] or path.rpartition("/")[2]


def _explained(reader: pa.RecordBatchReader, read: str) -> pa.RecordBatchReader:
    """DuckDB's plan, and what was read as one row more."""
    plan = reader.read_all()
    row = pa.Table.from_arrays([pa.array(["files"]), pa.array([read])], plan.schema.names)
    return pa.concat_tables([row.cast(plan.schema), plan]).to_reader()
