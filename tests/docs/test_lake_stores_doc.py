"""docs/how-to/lake-stores.md: its configurations are sound, its policies do what they say."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from cloud_sync.config import CloudSync
from headrace.config import FaultList, read_table
from headrace.lake import config as lake_config
from headrace.lake.config import S3, Lake
from tests.journals import Journal, readings
from tests.lakes import pipeline
from tests.servers.moto import BUCKET, Moto, find_moto, run_moto

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "lake-stores.md"
TEXT = PAGE.read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```toml\n(.*?)```", TEXT, re.S)


def policy(name: str) -> Any:
    (found,) = re.findall(rf"<!-- policy: {name} -->\n```json\n(.*?)```", TEXT, re.S)
    return json.loads(found)


@pytest.mark.parametrize("text", EXAMPLES)
def test_each_example_is_a_lake(text: str) -> None:
    """No fault but that its secrets are not here."""
    found = FaultList()
    lake = read_table(Lake, tomllib.loads(text)["lake"], "lake", found)
    assert lake is not None, found.faults
    lake_config.check(lake, found)
    assert all("no such file" in fault.problem for fault in found.faults), found.faults


def test_the_page_names_every_store_and_catalogue() -> None:
    """A new one is not done before it has its line."""
    for scheme in lake_config.SCHEMES:
        assert f"`{scheme}://" in TEXT
    for kind in ("sql", "rest", "glue", "hive"):
        assert f"| `{kind}` |" in TEXT


def test_google_and_azure_conditions_name_the_landing_zone() -> None:
    """Of the one site, with its slash at the end: `harbour` must not open `harbour-2`."""
    expression = policy("gcs")["condition"]["expression"]
    prefixes = re.findall(r"startsWith\('([^']+)'\)", expression)
    (azure,) = re.findall(r"<!-- policy: azure -->\n```\n(.*?)```", TEXT, re.S)
    prefixes += [each.removesuffix("*") for each in re.findall(r"StringLike '([^']+)'", azure)]
    assert len(prefixes) == 6
    for each in prefixes:
        assert re.search(r"headrace/(landing|odd|raw)/site=harbour/$", each)


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    if find_moto() is None:
        pytest.skip("moto_server is not installed")
    with run_moto(tmp_path_factory.mktemp("moto"), free_calls=4) as server:
        yield server


def test_a_site_may_write_below_its_own_prefix_and_nowhere_else(moto: Moto, tmp_path: Path) -> None:
    """moto weighs the policy as IAM does; it is enough to land."""
    options = {"region_name": "us-east-1", "endpoint_url": moto.endpoint}
    admin = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    iam: Any = boto3.client("iam", **options, **admin)  # type: ignore[call-overload]
    iam.create_user(UserName="harbour")
    text = json.dumps(policy("site")).replace("acme-lake", BUCKET)
    iam.put_user_policy(UserName="harbour", PolicyName="site", PolicyDocument=text)
    key = iam.create_access_key(UserName="harbour")["AccessKey"]
    keys = {
        "aws_access_key_id": key["AccessKeyId"],
        "aws_secret_access_key": key["SecretAccessKey"],
    }
    site: Any = boto3.client("s3", **options, **keys)  # type: ignore[call-overload]

    def may(verb: str, name: str) -> bool:
        more = {"Body": b"x"} if verb == "put_object" else {}
        try:
            getattr(site, verb)(Bucket=BUCKET, Key=f"headrace/{name}", **more)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            assert code in ("AccessDenied", "NoSuchKey"), code
            return code != "AccessDenied"
        return True

    assert may("put_object", "landing/site=harbour/journal=1/1.json")
    assert may("put_object", "odd/site=harbour/journal=1/1.parquet")
    assert may("put_object", "raw/site=harbour/journal=1/day=2026-11-23/1-2.parquet")
    assert may("get_object", "receipts/site=harbour/1.json")
    assert not may("put_object", "receipts/site=harbour/1.json")
    assert not may("put_object", "landing/site=harbour-2/journal=1/1.json")
    assert not may("put_object", "warehouse/readings/metadata/1.json")
    assert not may("get_object", "landing/site=harbour/journal=1/1.json")
    assert not may("delete_object", "landing/site=harbour/journal=1/1.json")

    files = {"access_key_file": tmp_path / "access", "secret_key_file": tmp_path / "secret"}
    files["access_key_file"].write_text(key["AccessKeyId"])
    files["secret_key_file"].write_text(key["SecretAccessKey"])
    journal = Journal(tmp_path / "journal.db", site="harbour")
    journal.append("crane", readings(100))
    lake = Lake(uri=f"s3://{BUCKET}/headrace", s3=S3(endpoint=moto.endpoint, **files))
    config = CloudSync(journal=lake_config.Journal(path=journal.path), lake=lake)
    assert pipeline(config).land() == 100
