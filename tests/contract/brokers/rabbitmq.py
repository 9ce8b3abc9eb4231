"""RabbitMQ with its MQTT plugin, as Debian has it: 3.10, MQTT 3.1.1; no retained messages for wildcards."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.contract.brokers import Broker, Make
from tests.servers import free_port

_CONFIG = """\
listeners.tcp = none
mqtt.listeners.tcp.1 = 127.0.0.1:{port}
mqtt.allow_anonymous = true
mqtt.default_user = guest
mqtt.default_pass = guest
# The session of a gateway that is away, in milliseconds.
mqtt.subscription_ttl = 604800000
"""


def make(folder: Path) -> Make:
    program = shutil.which("rabbitmq-server", path="/usr/lib/rabbitmq/bin:/usr/sbin:/usr/bin")
    if program is None or shutil.which("epmd") is None:
        pytest.skip("RabbitMQ is not installed (Debian package rabbitmq-server)")
    config, plugins = folder / "rabbitmq.conf", folder / "plugins"
    own, names = free_port(), free_port()
    plugins.write_text("[rabbitmq_mqtt].\n")

    def argv(port: int) -> Sequence[str | Path]:
        config.write_text(_CONFIG.format(port=port))
        # Erlang's registry of names too: else one is started for the whole machine, and stays.
        return ["sh", "-c", f"epmd -address 127.0.0.1 -port {names} & exec {program}"]

    env = {
        "HOME": str(folder), "RABBITMQ_NODENAME": f"headrace-{own}@localhost", "RABBITMQ_DIST_PORT": str(own),
        "RABBITMQ_CONFIG_FILE": str(config), "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"), "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_SERVER_START_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "ERL_EPMD_PORT": str(names), "ERL_EPMD_ADDRESS": "127.0.0.1",
    }  # fmt: skip
    return Make(Broker(argv, folder, env=env), "3.1.1", shares=False, retains=False)
