"""A site with certificates as tests play it: the two command lines, and clients with or without them."""

from __future__ import annotations

import json
import ssl
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import paho.mqtt.client as mqtt
from click.testing import CliRunner, Result

import edge_agent.cli
import gateway.cli
from edge_agent.enrol.files import DeviceFiles
from edge_agent.enrol.request import new_key, request_for
from gateway.config import load_config
from gateway.enrolment import open_site
from headrace.clock import ManualClock, SystemClock
from headrace.pki.messages import Application
from headrace.topics import Topics
from tests.programs import Gateway, Programs, make_gateway
from tests.servers import free_port, wait_until


def run_gateway(site: EnrolSite, *arguments: str) -> Result:
    """One of the gateway's commands, on the files of the running one."""
    config = str(site.gateway.program.config)
    return CliRunner().invoke(gateway.cli.main, [*arguments, "-c", config])


def run_enroll(*arguments: str | Path) -> Result:
    """``edge-agent enroll``."""
    return CliRunner().invoke(edge_agent.cli.main, ["enroll", *map(str, arguments)])


@dataclass
class EnrolSite:
    """A gateway that gives out certificates, and where its enrolment listens."""

    gateway: Gateway
    port: int

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def invite(self, device: str, *arguments: str) -> str:
        result = run_gateway(self, "enroll", device, "--json", *arguments)
        assert result.exit_code == 0, result.output
        return str(json.loads(result.stdout)["code"])

    def enrol(self, device: str, folder: Path, *arguments: str) -> Path:
        """Enrol a device; returns the folder with its key and certificate."""
        out = folder / device
        result = run_enroll(self.url, self.invite(device, *arguments), "--out", out)
        assert result.exit_code == 0, result.output
        return out

    def revoke(self, device: str) -> None:
        result = run_gateway(self, "revoke", device)
        assert result.exit_code == 0, result.output


def make_site(programs: Programs, *, broker: str = "", enrol: str = "", **more: Any) -> EnrolSite:
    """A gateway with mutual TLS and enrolment, configured and not started."""
    port = free_port()
    table = f'[enrol]\nenabled = true\nhost = "127.0.0.1"\nport = {port}\n{enrol}\n'
    made = make_gateway(programs, broker=f'auth = "certificate"\n{broker}', extra=[table], **more)
    return EnrolSite(made, port)


def issue_long_ago(
    site: EnrolSite, device: str, folder: Path, *, days_ago: float, days: int
) -> Path:
    """A device that was enrolled so many days ago, for ``days``, by the gateway's own CA."""
    config = load_config(site.gateway.program.config)
    config = replace(config, enrol=replace(config.enrol, certificate_days=days))
    clock = ManualClock(SystemClock().now_us() - round(days_ago * 24 * 3600 * 1_000_000))
    files, pki = DeviceFiles(folder / device), open_site(config, clock)
    code = pki.desk.open_code(device, valid_s=60, replace_key=False)
    files.keep_key(new_key())
    files.keep(pki.desk.enrol(Application(code.secret.hex(), request_for(files.key)), "here"))
    pki.close()
    return files.folder


def tls_context(ca: Path, certificate: Path | None = None) -> ssl.SSLContext:
    """A client's TLS; without ``certificate`` (a folder) it shows none."""
    context = ssl.create_default_context(cafile=str(ca))
    if certificate is not None:
        context.load_cert_chain(certificate / "device.crt", certificate / "device.key")
    return context


@dataclass
class Client:
    """Plain paho, over TLS where there is a context, which remembers what happened to it."""

    client_id: str
    port: int
    context: ssl.SSLContext | None = None
    will: str = ""
    clean: bool = True
    user: tuple[str, str] | None = None
    transport: Literal["tcp", "websockets"] = "tcp"
    refused: str = ""
    codes: list[Any] = field(default_factory=list)
    heard: list[tuple[str, bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.up, self.down, self.subscribed = (
            threading.Event(),
            threading.Event(),
            threading.Event(),
        )
        self._client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, client_id=self.client_id, clean_session=self.clean,
            reconnect_on_failure=False, transport=self.transport,
        )  # fmt: skip
        if self.context is not None:
            self._client.tls_set_context(self.context)
        if self.user is not None:
            self._client.username_pw_set(*self.user)
        if self.will:
            self._client.will_set(self.will, b"{}", qos=1, retain=True)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = lambda *_: self.down.set()
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = lambda _c, _d, m: self.heard.append((m.topic, m.payload))

    def connect(self) -> Client:
        """Try to connect; ``up`` or ``refused`` tells."""
        try:
            self._client.connect("127.0.0.1", self.port)
        except (OSError, mqtt.WebsocketConnectionError) as error:
            self.refused = str(error)
            return self
        self._client.loop_start()
        wait_until(lambda: self.up.is_set() or self.down.is_set(), 10, "an answer")
        if not self.up.is_set():
            self.refused = self.refused or "the connection ended"
        return self

    def publish(self, topic: str, payload: bytes = b"x", *, retain: bool = False) -> Any:
        return self._client.publish(topic, payload, qos=1, retain=retain)

    def subscribe(self, *topics: str) -> list[Any]:
        self.subscribed.clear()
        self._client.subscribe([(topic, 1) for topic in topics])
        assert self.subscribed.wait(10)
        return self.codes

    def close(self, *, abruptly: bool = False) -> None:
        if abruptly:
            sock = self._client.socket()
            if sock is not None:
                sock.close()
        else:
            self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, _c: Any, _d: Any, _flags: Any, reason: Any, _p: Any) -> None:
        if reason.is_failure:
            self.refused = str(reason)
        else:
            self.up.set()

    def _on_subscribe(self, _c: Any, _d: Any, _mid: Any, codes: Any, _p: Any) -> None:
        self.codes = list(codes)
        self.subscribed.set()


TOPICS = Topics()
