"""The fast reader of line protocol: takes what Telegraf sends, leaves the rest to the other."""

from __future__ import annotations

import pytest

from headrace.codecs import line, line_columns, line_exact
from headrace.codecs.line import UNITS

NOW = 1_790_000_000_000_000

TELEGRAF = r"""cpu,cpu=cpu0,host=edge\ 1 usage_user=1.5,usage_system=0.25,usage_idle=97 1790000000000000000
mem,host=edge\ 1 active=123456789i,used_percent=41.7 1790000000000000000
system,host=edge\ 1 uptime=86400i,uptime_format="1 day, 0:00" 1790000000000000000
win_disk,host=w,instance=C:\\x Free=12u,Note="say \"hi\", C:\\",Ok=true,Gone=F 1790000000000000000
cpu,cpu=cpu0,host=edge\ 1 usage_user=2.5,usage_idle=96 1790000010000000000
cpu,host=edge\ 1,cpu=cpu0 usage_user=3.5 1790000020000000000
log msg="two
lines" 1790000020000000000
weather temperature=21"""


def test_it_takes_what_telegraf_sends() -> None:
    """Escapes, strings over two lines, integers, booleans, a line without a time."""
    for times in (1, 50):
        payload = "\n".join([TELEGRAF] * times)
        found = line_columns.decode(payload.encode(), NOW, *UNITS["line"])
        assert found is not None
        assert found == line_exact.decode(payload, NOW, *UNITS["line"])


def test_tags_in_another_order_are_the_same_series() -> None:
    """One entry in the dictionary of names, not two."""
    found = line_columns.decode(TELEGRAF.encode(), NOW, *UNITS["line"])
    assert found is not None
    names = found.rows.column("name").dictionary.to_pylist()
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    "unsure",
    ["# a comment\nm f=1", "m f=1\r\nm f=2", "m  f=1", "m f=0x1", "m f=1,", "m f=1 -1", 'm f="a"b', "m,a=1,a=1 f=1"],
)  # fmt: skip
def test_it_leaves_the_rest_to_the_other(unsure: str) -> None:
    """Right or wrong: it does not say."""
    assert line_columns.decode(unsure.encode(), NOW, *UNITS["line"]) is None


def test_large_payloads_that_it_leaves_are_read_all_the_same() -> None:
    """A comment in front costs time and nothing else."""
    payload = "# by hand\n" + "\n".join([TELEGRAF] * 20)
    assert len(payload) > line.COLUMNS_FROM_BYTES
    assert line.decode(payload.encode(), NOW).rows.num_rows == 20 * 16
