"""Small payloads that unpack to much are landed in pieces, and compacted in small row groups."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from cloud_sync.landing import lander
from cloud_sync.landing.unpacked import unpacked_bytes
from cloud_sync.maintain import writer
from cloud_sync.maintain.writer import row_groups
from headrace.lake.manifests import all_manifests
from headrace.lake.opening import open_store
from headrace.limits.wire import MAX_DECODED_BYTES
from tests.journals import START_US, Journal, batch
from tests.lakes import assert_each_once, identities, journalled, pipeline, settings

ROWS = 20
TEXT = "x" * 60_000


def test_texts_that_compress_well_are_landed_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forty payloads of 8 KiB can be more texts than Arrow has in one piece: no journal stands still over them."""
    monkeypatch.setattr(lander, "LANDING_MAX_UNPACKED_BYTES", 2 * ROWS * len(TEXT))
    journal = Journal(tmp_path / "gateway" / "journal.db")
    texts = batch(["log"] * ROWS, [START_US] * ROWS, [None] * ROWS, [TEXT] * ROWS)
    for _ in range(5):
        journal.append("pump", texts)
    config = settings(tmp_path)
    path = pipeline(config)
    assert (path.land(), path.register()) == (5 * ROWS, 5 * ROWS)
    spans = [(name.first, name.last) for name in all_manifests(open_store(config.lake))]
    assert spans == [(at, at) for at in range(1, 6)]  # two and their frames are over the bound
    assert_each_once(identities(config.lake, None), journalled(journal.path))
    journal.close()


@pytest.mark.parametrize(
    ("payload", "size"),
    [
        (b"{}", 2),
        (b"\x28\xb5\x2f\xfd", 4),  # not even a whole header
        (b"\x28\xb5\x2f\xfd\x00\x58\x01\x00\x00", MAX_DECODED_BYTES),  # a frame that does not say
    ],
)
def test_what_a_payload_does_not_say_is_taken_for_the_worst(payload: bytes, size: int) -> None:
    """A codec unpacks no more than its own bound."""
    assert unpacked_bytes(payload) == size


def test_row_groups_of_long_texts_are_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows are the same, in the same order."""
    monkeypatch.setattr(writer, "ROW_GROUP_TEXT_BYTES", 4 * len(TEXT))
    numbers = list(range(10))
    table = pa.table({"seq": numbers, "text": [f"{at}{TEXT}" for at in numbers]})
    groups = list(row_groups(table.slice(at, 1) for at in numbers))
    assert [group.num_rows for group in groups] == [4, 4, 2]
    assert [seq for group in groups for seq in group["seq"].to_pylist()] == numbers
