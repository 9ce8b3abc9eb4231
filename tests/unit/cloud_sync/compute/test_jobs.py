"""``[[compute]]``: every fault at once, and jobs in the order in which they need each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloud_sync import config
from cloud_sync.compute.jobs import Job, choose, read
from cloud_sync.config import Compute
from headrace.errors import ConfigError, UsageError

FEATURES = Compute(job="pumps", kind="features", series={"flow": "flow"}, windows=(5,), lags=(1,))


def test_rollups_are_there_also_where_nobody_names_them() -> None:
    """By hand; and before the features that are made of them."""
    assert [job.name for job in read([], "x")] == ["rollups"]
    jobs = read([FEATURES, Compute(job="all", schedule="*/5 * * * *")], "x")
    assert [job.name for job in jobs] == ["all", "pumps"]
    assert [job.tables for job in jobs] == [
        ("readings_1m", "readings_1h", "readings_1d"),
        ("features_pumps",),
    ]


def test_a_feature_table_has_its_columns_in_order() -> None:
    """Of each series what it is, what it did, what it was."""
    (target,) = Job(FEATURES).targets()
    assert [field.name for field in target.schema.fields] == [
        "site", "device", "time", "flow", "flow_mean_5", "flow_min_5", "flow_max_5", "flow_lag_1",
    ]  # fmt: skip
    assert (target.source, target.back_us) == ("readings_1m", 4 * 60_000_000)


@pytest.mark.parametrize(
    ("table", "key", "problem"),
    [
        ('job = "Big"', "compute[0].job", "expected"),
        ('job = "a"\nschedule = "often"', "compute[0].schedule", "five fields"),
        ('job = "a"\nlags = [1]', "compute[0].lags", "features"),
        ('job = "a"\nkind = "features"', "compute[0].series", "missing"),
        ('job = "a"\nkind = "features"\nseries = { time = "x" }', "compute[0].series", "column"),
        ('job = "a"\nkind = "features"\nseries = { x = "x" }\ndevices = ["a b"]', "compute[0].devices", "id"),
        ('job = "a"\nkind = "features"\nseries = { x = "x" }\nlags = [1, 1]', "compute[0]", "x_lag_1"),
        ('job = "a"\nkind = "features"\nseries = { x = "x", x_lag_1 = "y" }\nlags = [1]', "compute[0]", "x_lag_1"),
        ('job = "a"\nwindows = [0]', "compute[0].windows", "1"),
        ('job = "a"\n[[compute]]\njob = "b"', "compute", "two jobs"),
    ],
)  # fmt: skip
def test_faults_name_key_and_problem(table: str, key: str, problem: str, tmp_path: Path) -> None:
    """Before anything starts."""
    path = tmp_path / "cloud_sync.toml"
    path.write_text(f"[[compute]]\n{table}\n")
    with pytest.raises(ConfigError) as found:
        read(config.load(path).compute, str(path))
    assert found.value.faults[0].key == key
    assert problem in found.value.faults[0].problem


def test_a_job_that_is_not_there_is_named_with_those_that_are() -> None:
    """And what to do."""
    with pytest.raises(UsageError, match="known: rollups, pumps"):
        choose(read([FEATURES], "x"), "fans")
