"""Names in certificates, and what the files are called on both sides.

The common name of a certificate is the MQTT user, and at mosquitto the client id too: one connection
a name. A device's is its device id. The gateway, its commands and its broker have names with a
colon, which no device id can contain: nobody can enrol as the gateway.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

GATEWAY_NAME: Final = "headrace:gateway"
BROKER_NAME: Final = "headrace:broker"
#: `gateway quarantine replay` and the like: under the gateway's own name they would take its session.
COMMANDS_NAME: Final = "headrace:commands"
#: Connections that a gateway may have to one broker (``broker.connections``).
MAX_LINKS: Final = 16


def link_name(number: int) -> str:
    """The gateway's name on one of its connections to a broker: each needs a client id of its own."""
    return f"{GATEWAY_NAME}-{number}" if number else GATEWAY_NAME


#: Who may do everything below the topic root.
OWN_NAMES: Final = (*(link_name(number) for number in range(MAX_LINKS)), COMMANDS_NAME)

CA_FILE: Final = "ca.crt"
GATEWAY_CERTIFICATE_FILE: Final = "gateway.crt"
GATEWAY_KEY_FILE: Final = "gateway.key"
COMMANDS_CERTIFICATE_FILE: Final = "commands.crt"
COMMANDS_KEY_FILE: Final = "commands.key"
DEVICE_CERTIFICATE_FILE: Final = "device.crt"
DEVICE_KEY_FILE: Final = "device.key"
MODEL_ROOT_FILE: Final = "model-root.json"


def link_file(gateway_file: Path, number: int) -> Path:
    """Key or certificate of that connection, beside the gateway's own."""
    if not number:
        return gateway_file
    return gateway_file.with_name(f"{gateway_file.stem}-{number}{gateway_file.suffix}")


DEFAULT_ENROL_PORT: Final = 8443
