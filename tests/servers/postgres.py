"""A real PostgreSQL (``postgres``), on loopback and a free port."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.servers import free_port, start_process
from tests.servers.tls import Pair

DATABASE = "headrace"


@dataclass(frozen=True)
class Postgres:
    """A running server: its port and what tests ask it."""

    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def conninfo(self) -> str:
        return f"host=127.0.0.1 port={self.port} user=postgres dbname={DATABASE}"

    def sql(self, statement: str, *, database: str = DATABASE) -> list[tuple[Any, ...]]:
        """Rows of a statement, which is committed."""
        import psycopg

        with psycopg.connect(self.conninfo, dbname=database, autocommit=True) as db:
            cursor = db.execute(statement)
            return cursor.fetchall() if cursor.description else []

    @property
    def major(self) -> int:
        return int(self.sql("SHOW server_version_num")[0][0]) // 10_000

    def count(self, table: str = "readings") -> int:
        """How many rows a table has; 0 where there is none."""
        if self.sql(f"SELECT to_regclass('{table}')") == [(None,)]:
            return 0
        return int(self.sql(f"SELECT count(*) FROM {table}")[0][0])

    def freeze(self) -> None:
        """The network takes everything and nobody answers, until the server is stopped."""
        assert self.process is not None
        for each in _family(self.process):
            each.suspend()

    def answers(self) -> bool:
        ready = [_program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(ready, check=False).returncode == 0


@contextmanager
def postgres(
    folder: Path, *, port: int | None = None, auth: str = "trust", tls: Pair | None = None
) -> Iterator[Postgres]:
    """Run PostgreSQL on a folder; started again on the same folder and port it has its data again.

    Args:
        auth: ``scram-sha-256`` asks for a password, which is ``secret``.
    """
    if _program("postgres") is None:
        pytest.skip("postgres is not installed (Debian package postgresql)")
    folder.mkdir(parents=True, exist_ok=True)
    data, port = _data(folder, auth), port or free_port()
    argv = [
        *_as_postgres(), _program("postgres"), "-D", data, "-F", "-p", port,
        "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
        *(_secured(data, tls) if tls else ()),
    ]  # fmt: skip
    with start_process(argv, log=folder / "postgres.log", ready=Postgres(port).answers) as process:
        server = Postgres(port, process)
        try:
            yield server
        finally:
            for each in _family(process):
                with contextlib.suppress(psutil.NoSuchProcess):  # a worker may have ended just now
                    each.resume()
            # SIGTERM would wait for clients to leave.
            process.send_signal(signal.SIGINT)
            process.wait(20)


def _data(folder: Path, auth: str) -> Path:
    """The database cluster of a folder: elsewhere, because its owner cannot look into root's."""
    pointer = folder / "data"
    if not pointer.exists():
        home = Path(tempfile.mkdtemp(prefix="headrace-postgres-"))
        atexit.register(shutil.rmtree, home, ignore_errors=True)
        password = home / "password"
        password.write_text("secret\n")
        if os.geteuid() == 0:
            for path in (home, password):
                shutil.chown(path, "postgres", "postgres")
        subprocess.run(
            [*_as_postgres(), _program("initdb"), "-D", home / "data", "-A", auth, "-U", "postgres",
             "--pwfile", password, "-N", "-E", "UTF8", "--locale", "C"],
            check=True, capture_output=True, cwd=home,
        )  # fmt: skip
        _create_database(home / "data")
        pointer.symlink_to(home / "data")
    return pointer.resolve()


def _secured(data: Path, tls: Pair) -> list[str]:
    """The server reads only a key that is its own user's, and nobody else's."""
    for source, name in ((tls.certificate, "server.crt"), (tls.key, "server.key")):
        target = data / name
        shutil.copyfile(source, target)
        target.chmod(0o600)
        if os.geteuid() == 0:
            shutil.chown(target, "postgres", "postgres")
    return ["-c", "ssl=on"]


def _create_database(data: Path) -> None:
    """In single-user mode, which asks for no password."""
    subprocess.run(
        [*_as_postgres(), _program("postgres"), "--single", "-F", "-D", data, "postgres"],
        input=f"CREATE DATABASE {DATABASE}\n".encode(), check=True, capture_output=True, cwd=data,
    )  # fmt: skip


def _as_postgres() -> list[str]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups"]


def _program(name: str) -> str | None:
    """Debian keeps the server's programs out of PATH, by version."""
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(versions[-1]) if versions else shutil.which(name)


def _family(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    parent = psutil.Process(process.pid)
    return [parent, *parent.children(recursive=True)]
