"""moto: AWS Glue and S3 in one process and in memory (PyPI: moto[server])."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from headrace.lake.config import S3, Lake
from tests.servers import free_port, listens, start_process

BUCKET = "lake"


@dataclass(frozen=True, slots=True)
class Moto:
    """Where a running server is, and files with keys, which it does not look at."""

    endpoint: str
    key_file: Path

    def lake(self, prefix: str) -> Lake:
        keys = S3(
            endpoint=self.endpoint, access_key_file=self.key_file, secret_key_file=self.key_file
        )
        return Lake(uri=f"s3://{BUCKET}/{prefix}", s3=keys)


def find_moto() -> Path | None:
    """The program beside this Python; None where it is not installed."""
    beside = Path(sys.executable).with_name("moto_server")
    return beside if beside.exists() else None


@contextmanager
def run_moto(
    folder: Path, *, free_calls: int | None = None, strict: bool = False
) -> Iterator[Moto]:
    """A server with one bucket.

    Args:
        strict: Glue refuses changes to another version of a table than the present one, as the real one does.
        free_calls: so many calls need no rights, the bucket's own among them; then policies are weighed.
    """
    import boto3

    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    key_file = folder / "key"
    key_file.write_text("test\n")
    program = [sys.executable, "-m", "tests.servers.strict_moto"] if strict else [find_moto() or ""]
    argv = [*program, "-H", "127.0.0.1", "-p", str(port)]
    env = {"PYTHONPATH": str(Path(__file__).parents[2])}
    if free_calls is not None:
        env["INITIAL_NO_AUTH_ACTION_COUNT"] = str(free_calls)
    log = folder / "moto.log"
    with start_process(argv, log=log, ready=lambda: listens(port), deadline_s=60, env=env):
        server = Moto(f"http://127.0.0.1:{port}", key_file)
        boto3.client(
            "s3", endpoint_url=server.endpoint, region_name="us-east-1",
            aws_access_key_id="test", aws_secret_access_key="test",
        ).create_bucket(Bucket=BUCKET)  # fmt: skip
        yield server
