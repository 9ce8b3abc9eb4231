"""What a reader gets of a journal file that is damaged."""

import pytest

from headrace import damage
from headrace.journal import DAMAGED, JournalReader
from headrace.lake.readings import to_table
from tests.damage import PAGE, flip, place_of, ruin_page, settle
from tests.journals import Journal, readings

BATCHES = 200


@pytest.fixture(params=[3, 2_000], ids=["small rows", "rows over many pages"])
def path(request, tmp_path):
    """A journal of two devices, as it lies on the disk."""
    made = Journal(tmp_path / "journal.db")
    for number in range(BATCHES):
        made.append(f"pump-{number % 2}", readings(request.param, seed=number))
    made.close()
    settle(made.path)
    return made.path


def read_all(path, step=10**9):
    """All rows, as a consumer reads them: behind a cursor that moves."""
    found, cursor = [], 0
    with JournalReader(path) as reader:
        while rows := reader.read(cursor, max_rows=step, max_bytes=10**9):
            reader.remember_damage(rows)
            found += rows
            cursor = rows[-1].offset
    return found


def test_a_flipped_byte_costs_one_batch_and_names_it(path):
    """Everything around it is served, and device, stream and seqs of the loss are known."""
    flip(path, place_of(path, 50))
    rows = read_all(path)
    assert [row.offset for row in rows] == list(range(1, BATCHES + 1))
    (bad,) = [row for row in rows if row.damage]
    assert (bad.offset, bad.device, bad.payload) == (50, "pump-1", b"")
    assert bad.first_seq > 0


def test_a_ruined_page_costs_what_stood_on_it_and_no_more(path):
    """A cursor moves past it; batches on other pages are served."""
    ruin_page(path, place_of(path, 50))
    rows = read_all(path)
    sound = {row.offset for row in rows if not row.damage}
    assert rows[-1].offset == BATCHES
    assert sound >= set(range(1, 5)) | set(range(100, BATCHES + 1))
    assert 50 not in sound
    with JournalReader(path) as reader:
        assert reader.received_after(48) is not None


def test_many_ruined_pages_leave_the_others(path):
    """Every third page of the file's second half: no error, no endless loop, an end at the head."""
    data = path.stat().st_size
    lost = range(data // 2, data - PAGE, 3 * PAGE)
    for place in lost:
        ruin_page(path, place, seed=place)
    rows = read_all(path)
    assert rows[-1].offset == BATCHES
    assert any(row.damage for row in rows)
    assert sum(not row.damage for row in rows) >= BATCHES // 4


def test_damage_is_put_into_quarantine_once(path):
    """With what is left of the payload, for whoever wants to save something of it."""
    flip(path, place_of(path, 50))
    read_all(path)
    read_all(path)
    with JournalReader(path) as reader:
        (found,) = reader._db.execute(
            "SELECT topic, device, reason, detail, length(payload) > 0 FROM quarantine"
        ).fetchall()
    assert found[:3] == ("journal:50", "pump-1", DAMAGED)
    assert "pump-1 stream" in found[3]
    assert found[4]


def test_damaged_rows_have_no_readings_in_the_lakes_columns(path):
    """The rest lands."""
    flip(path, place_of(path, 50))
    rows = read_all(path)
    assert to_table("site-1", rows).num_rows == sum(row.rows for row in rows if not row.damage)


@pytest.mark.parametrize(("bad", "expected"), [((5, 9), 10), ((5, 5_000), 5_001), ((5, 20_000), 9_000)])  # fmt: skip
def test_the_first_sound_offset_is_found_from_far_and_near(bad, expected):
    """One by one at first, then in steps; never beyond the last that was asked for."""
    asked = []

    def holds(offset):
        asked.append(offset)
        return not bad[0] <= offset <= bad[1]

    assert damage._first(holds, 5, 9_000) == expected
    assert len(asked) < 1_200
