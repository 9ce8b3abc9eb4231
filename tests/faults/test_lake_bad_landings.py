"""Landings that are not what they should be, by accident or on purpose: said, held, and the others go on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from cloud_sync.beside import beside
from cloud_sync.config import CloudSync, Register
from cloud_sync.lake import footer
from headrace.errors import FilesRefused
from headrace.lake.opening import open_store
from headrace.landing import Seen
from headrace.limits.lake import FOOTER_MAX_BYTES, MANIFEST_MAX_BYTES
from headrace.metrics import Metrics
from headrace.resend import quarantine_path
from tests.faults.tampering import (
    ELSEWHERE,
    Edit,
    change_manifest,
    claim_again,
    land_elsewhere,
    only_manifest,
    tamper,
)
from tests.journals import START_US, Journal, readings
from tests.lakes import ask, assert_each_once, identities, journalled, pipeline, settings

DAY_US = 86_400_000_000


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "gateway" / "journal.db")
    made.append("pump", readings(50))
    yield made
    made.close()


@pytest.fixture
def config(tmp_path: Path) -> CloudSync:
    return settings(tmp_path)


def held(config: CloudSync) -> str:
    """Register, and say what is held; the other site's readings are in the table."""
    path = pipeline(config)
    assert path.register() == ELSEWHERE
    return str(path.registrar.held[0])


def same(table: pa.Table) -> pa.Table:
    return table


def with_column(name: str, make: Any, *, nullable: bool = False) -> Edit:
    """Another column in the place of one."""

    def edit(table: pa.Table) -> pa.Table:
        at = table.column_names.index(name)
        made = make(table)
        return table.set_column(at, pa.field(name, made.type, nullable=nullable), made)

    return edit


def with_times(*times: int) -> Edit:
    """All rows at the first time, the last one at the last."""
    return with_column(
        "time",
        lambda table: pa.array(
            [times[0]] * (table.num_rows - 1) + [times[-1]], pa.timestamp("us", tz="UTC")
        ),
    )


def with_field_ids(table: pa.Table) -> pa.Table:
    ids = [
        field.with_metadata({"PARQUET:field_id": str(at)}) for at, field in enumerate(table.schema)
    ]
    return table.cast(pa.schema(ids))


def twice(table: pa.Table) -> pa.Table:
    return table.append_column(table.schema.field("site"), table["site"])


CASES: dict[str, tuple[Edit, dict[str, Any], str]] = {
    "another column": (lambda t: t.append_column("extra", t["seq"]), {}, "no column 'extra'"),
    "a column twice": (twice, {}, "has the column 'site' more than once"),
    "ten thousand columns": (
        lambda t: pa.table({f"c{at}": t["seq"] for at in range(10_000)}),
        {},
        "no column 'c0'",
    ),
    "another type": (
        with_column("value", lambda t: t["value"].cast(pa.utf8())),
        {},
        "column 'value': expected double, got string",
    ),
    "a column that may be null": (
        with_column("device", lambda t: t["device"].cast(pa.utf8()), nullable=True),
        {},
        "column 'device': expected a column that is never null",
    ),
    "field ids": (with_field_ids, {}, "column 'site': has a field id"),
    "a column less": (lambda t: t.drop_columns(["stream"]), {}, "without the columns stream"),
    "another site's readings": (
        with_column("site", lambda t: pa.array(["north"] * t.num_rows)),
        {},
        "expected readings of site test",
    ),
    "too many rows claimed": (same, {"rows": 51}, "expected 51 readings, got 50"),
    "another day claimed": (same, {"min_time": START_US - DAY_US}, "its times"),
    "two days": (
        with_times(START_US, START_US + DAY_US),
        {"min_time": START_US, "max_time": START_US + DAY_US},
        "expected readings of one day, got 2025-06-15",
    ),
    "the year 300000": (
        with_times(2**63 - 1),
        {"min_time": 2**63 - 1, "max_time": 2**63 - 1},
        "its footer cannot be understood",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_landing_that_does_not_fit_is_held_and_the_others_go_on(
    tmp_path: Path, journal: Journal, config: CloudSync, case: str
) -> None:
    """Found by the file's footer, before anything is committed."""
    edit, lies, says = CASES[case]
    pipeline(config).land()
    tamper(tmp_path, edit, **lies)
    land_elsewhere(config, tmp_path)
    assert says in held(config)


def test_a_file_without_statistics_is_held(
    tmp_path: Path, journal: Journal, config: CloudSync
) -> None:
    """Its day is known by them."""
    pipeline(config).land()
    tamper(tmp_path, same, how={"write_statistics": False})
    land_elsewhere(config, tmp_path)
    assert "expected readings of site test, got None" in held(config)


def test_a_site_name_that_is_no_text_is_held(
    tmp_path: Path, journal: Journal, config: CloudSync
) -> None:
    """Statistics hold bytes, and a footer may say of any that they are text."""
    pipeline(config).land()
    (claim,) = only_manifest(tmp_path)[1].files
    file = tmp_path / "lake" / claim.path
    tamper(tmp_path, with_column("site", lambda t: pa.array(["tesT"] * t.num_rows)))
    data = file.read_bytes()
    file.write_bytes(data.replace(b"tesT", b"tes\xff"))
    claim_again(tmp_path, claim)
    land_elsewhere(config, tmp_path)
    assert "its footer cannot be understood: 'utf-8' codec" in held(config)


BOMBS = {
    "readings": ("LANDED_FILE_MAX_ROWS", "expected 1000 readings at most, got 100000"),
    "unpacked bytes": ("LANDED_FILE_MAX_UNPACKED_BYTES", "expected 1000 unpacked bytes at most"),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_small_file_that_would_not_fit_into_memory_is_held(
    tmp_path: Path, journal: Journal, config: CloudSync, monkeypatch: pytest.MonkeyPatch, bomb: str
) -> None:
    """Run lengths take no room: what it says of itself may be true."""
    limit, says = BOMBS[bomb]
    monkeypatch.setattr(footer, limit, 1_000)
    pipeline(config).land()
    rows = 100_000
    tamper(tmp_path, lambda table: table.slice(0, 1).take([0] * rows), rows=rows, max_time=START_US)
    land_elsewhere(config, tmp_path)
    assert says in held(config)


def test_a_footer_that_would_not_fit_into_memory_is_not_read(
    tmp_path: Path, journal: Journal, config: CloudSync
) -> None:
    """A million row groups, or columns, are footers of hundreds of megabytes."""
    pipeline(config).land()
    (claim,) = only_manifest(tmp_path)[1].files
    length = FOOTER_MAX_BYTES + 1
    (tmp_path / "lake" / claim.path).write_bytes(length.to_bytes(4, "little") + b"PAR1")
    claim_again(tmp_path, claim)
    land_elsewhere(config, tmp_path)
    assert f"expected a footer of {FOOTER_MAX_BYTES} bytes at most" in held(config)


def test_a_manifest_of_a_gigabyte_is_not_read(
    tmp_path: Path, journal: Journal, config: CloudSync
) -> None:
    """Its size is asked first."""
    pipeline(config).land()
    path, _ = only_manifest(tmp_path)
    with path.open("r+b") as file:
        file.truncate(2**30)
    land_elsewhere(config, tmp_path)
    assert f"expected {MANIFEST_MAX_BYTES} bytes at most, got {2**30}" in held(config)


ELSEWHERE_PATHS = {
    "above the lake": "../../etc/passwd",
    "through its own folder": "{own}/../../../../../etc/00000000000000000001.parquet",
    "absolute": "/etc/passwd",
    "another bucket": "s3://other/landing/00000000000000000001.parquet",
    "another landing": "{own}/00000000000000000009-00000000000000000009.2025-06-15.parquet",
}


@pytest.mark.parametrize("kind", ["files", "odd"])
@pytest.mark.parametrize("place", ELSEWHERE_PATHS)
def test_a_manifest_that_names_what_is_not_its_own_is_held(
    tmp_path: Path, journal: Journal, config: CloudSync, place: str, kind: str
) -> None:
    """Neither by a data file nor by one of odd times; nothing there is looked at."""
    pipeline(config).land()
    path, manifest = only_manifest(tmp_path)
    own = str(path.parent.relative_to(tmp_path / "lake"))
    claim = msgspec.structs.replace(manifest.files[0], path=ELSEWHERE_PATHS[place].format(own=own))
    change_manifest(tmp_path, **{kind: (claim,) if kind == "files" else claim})
    land_elsewhere(config, tmp_path)
    assert "names a file that is not its own" in held(config)


def test_a_manifest_that_names_a_file_twice_is_held(
    tmp_path: Path, journal: Journal, config: CloudSync
) -> None:
    """Its readings would be in the table twice."""
    pipeline(config).land()
    _, manifest = only_manifest(tmp_path)
    change_manifest(tmp_path, files=manifest.files * 2, rows=2 * manifest.rows)
    land_elsewhere(config, tmp_path)
    assert "names a file twice" in held(config)


@pytest.mark.parametrize("ranges", [((5, 1),), ((-3, 2),), ((1, 2**63),)])
def test_a_manifest_with_ranges_that_are_none_is_held(
    tmp_path: Path, journal: Journal, config: CloudSync, ranges: tuple[tuple[int, int], ...]
) -> None:
    """They are sums of what a journal has brought, for the day when its disk is lost."""
    pipeline(config).land()
    change_manifest(tmp_path, seen=(Seen("pump", "00000000000000aa", ranges),))
    land_elsewhere(config, tmp_path)
    assert "a range that is none" in held(config)


def test_what_the_table_refuses_keeps_out_its_own_site_only(
    tmp_path: Path, journal: Journal, config: CloudSync, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pyiceberg refuses all files of a commit for one; whose it is, is found by halves."""
    pipeline(config).land()
    bad = pipeline(config)
    for at in range(6):
        land_elsewhere(config, tmp_path, f"south-{at}")
    add = bad._parts.table.add

    def picky(uris: Any, marks: Any) -> None:
        if any("site=test" in uri for uri in uris):
            raise FilesRefused("the table does not take it")
        add(uris, marks)

    monkeypatch.setattr(bad._parts.table, "add", picky)
    assert bad.register() == 6 * ELSEWHERE
    (only,) = bad.registrar.held
    assert only.site == "test"


def test_a_flipped_bit_is_found_where_files_are_read_back(
    tmp_path: Path, journal: Journal, config: CloudSync
) -> None:
    """Size and footer are right; ``verify = "sha256"`` sees it."""
    pipeline(config).land()
    flip(tmp_path / "lake" / only_manifest(tmp_path)[1].files[0].path)
    path = pipeline(replace(config, register=Register(verify="sha256")))
    assert path.register() == 0
    assert "sha256" in str(path.registrar.held[0])


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[40] ^= 1
    file.write_bytes(data)


def test_of_a_landing_that_is_given_up_a_file_with_a_flipped_bit_is_left_out_too(
    tmp_path: Path, journal: Journal, config: CloudSync
) -> None:
    """One day's file is cut, another's is whole but for a bit, the third is sound; the journal has them no more."""
    for day in (1, 2):
        journal.append("pump", readings(10, start_us=START_US + day * DAY_US))
    pipeline(config).land()
    _, manifest = only_manifest(tmp_path)
    cut, flipped, _ = (tmp_path / "lake" / each.path for each in manifest.files)
    cut.write_bytes(cut.read_bytes()[:-1])
    flip(flipped)
    journal.prune(3)
    path = pipeline(config)
    path.register()
    path.land()  # answers that it cannot
    assert path.register() == 10
    name = next(iter(path.registrar._repairs.given_up()))
    record = open_store(config.lake).get(quarantine_path(name))
    assert record is not None
    missing = msgspec.json.decode(record)["missing"]
    assert missing == [each.path for each in manifest.files[:2]]


def test_what_was_given_up_holds_up_no_job_beside_the_path(
    tmp_path: Path, journal: Journal, config: CloudSync
) -> None:
    """Its manifest and a file of quite another kind are still there: neither newest readings nor series stumble."""
    pipeline(config).land()
    tamper(tmp_path, lambda table: pa.table({"hello": table["seq"]}))
    journal.prune(1)
    path = pipeline(config)
    path.register()
    path.land()  # answers that it cannot
    journal.append("fan", readings(10))
    path.land()
    assert path.register() == 10
    jobs = {job.name: job for job in beside(config, Metrics("cloud_sync"))}
    for name in ("newest readings", "series", "judging quality", "maintaining"):
        jobs[name].run()
        assert not jobs[name].has_failed, name
    names = ask(config.lake, None, "SELECT DISTINCT device FROM latest").to_pydict()["device"]
    assert names == ["fan"]


def test_what_was_held_is_looked_at_again_in_the_next_pass(
    tmp_path: Path, journal: Journal, config: CloudSync
) -> None:
    """Somebody put the file back: no restart is needed."""
    pipeline(config).land()
    _, manifest = only_manifest(tmp_path)
    file = tmp_path / "lake" / manifest.files[0].path
    whole = file.read_bytes()
    file.write_bytes(whole[:-20])
    path = pipeline(config)
    assert path.register() == 0
    file.write_bytes(whole)
    assert path.register() == 50
    assert path.registrar.held == ()


def test_objects_of_others_in_the_landing_zone_are_passed_over(
    tmp_path: Path, journal: Journal, config: CloudSync
) -> None:
    """A thousand in each place where one can lie: nothing of it is opened, and landing goes on."""
    pipeline(config).land()
    path, _ = only_manifest(tmp_path)
    places = (
        path.parent,
        path.parent.parent,
        path.parents[2],
        tmp_path / "lake" / "odd" / "site=test",
    )
    for place in places:
        for at in range(1_000):
            stray = place / f"stray-{at}.json"
            stray.parent.mkdir(parents=True, exist_ok=True)
            stray.write_text("{")
    (path.parents[1] / "journal=..").mkdir()
    (path.parents[1] / "no-journal" / "deeper").mkdir(parents=True)
    journal.append("pump", readings(50, seed=1))
    again = pipeline(config)
    assert (again.land(), again.register(), again.registrar.held) == (50, 100, ())
    assert_each_once(identities(config.lake, None), journalled(journal.path))
