"""A real mosquitto on a free port of 127.0.0.1."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.programs import Program
from tests.servers import free_port, listens, start_process

EXECUTABLE = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")

# `user root`: the broker would else become user mosquitto and could not read the test's folder.
# The queue limits are lifted because a test must lose readings by its own doing only.
_CONFIG = """\
per_listener_settings false
listener {port} 127.0.0.1
allow_anonymous {anonymous}
persistence {persistence}
persistence_location {folder}/
autosave_interval 5
max_queued_messages 0
max_queued_bytes 0
max_inflight_messages 0
user root
"""


@dataclass(frozen=True, slots=True)
class Mosquitto:
    """Where the broker listens, and its process."""

    host: str
    port: int
    pid: int


def configuration(
    port: int, data: Path, *, persistence: bool = True, anonymous: bool = True
) -> str:
    """What all brokers of tests have in common."""
    return _CONFIG.format(
        port=port, folder=data.resolve(),
        anonymous=str(anonymous).lower(), persistence=str(persistence).lower(),
    )  # fmt: skip


@contextmanager
def mosquitto(
    folder: Path,
    port: int | None = None,
    persistence: bool = True,
    lines: Sequence[str] = (),
    anonymous: bool = True,
) -> Iterator[Mosquitto]:
    """Run mosquitto while the block lasts.

    Args:
        folder: for its configuration, data and log; the same folder and port restart "the same" broker.
        lines: more lines of configuration (an ACL, TLS, passwords).
    """
    if EXECUTABLE is None:
        raise FileNotFoundError("mosquitto is not installed: apt-get install mosquitto")
    port = port or free_port()
    data = folder / "mosquitto"
    data.mkdir(parents=True, exist_ok=True)
    config = data / "mosquitto.conf"
    text = configuration(port, data, persistence=persistence, anonymous=anonymous)
    config.write_text(text + "\n".join(lines) + "\n", encoding="utf-8")
    with start_process(
        [EXECUTABLE, "-c", config], log=data / "log.txt", ready=lambda: listens(port)
    ) as process:
        yield Mosquitto("127.0.0.1", port, process.pid)


class MosquittoProgram(Program):
    """A mosquitto that a test may kill and start again on the same port, with its persistence."""

    def __init__(self, folder: Path, port: int) -> None:
        self.port = port
        data = folder / "mosquitto"
        data.mkdir(parents=True, exist_ok=True)
        config = data / "mosquitto.conf"
        config.write_text(configuration(port, data), encoding="utf-8")
        super().__init__("mosquitto", config, data / "log.txt")

    @property
    def argv(self) -> list[str]:
        return [EXECUTABLE or "mosquitto", "-c", str(self.config)]

    def close(self) -> None:
        if self.running:
            self.kill()
