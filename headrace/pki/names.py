"""Names in certificates, and what the files are called on both sides.

The common name of a certificate is the MQTT user, and at mosquitto the client id too: one connection
a name. A device's is its device id. The gateway, its commands and its broker have names with a
colon, which no device id can contain: nobody can enrol as the gateway.
"""

from __future__ import annotations

from typing import Final

GATEWAY_NAME: Final = "headrace:gateway"
BROKER_NAME: Final = "headrace:broker"
#: `gateway quarantine replay` and the like: under the gateway's own name they would take its session.
COMMANDS_NAME: Final = "headrace:commands"
#: Who may do everything below the topic root.
OWN_NAMES: Final = (GATEWAY_NAME, COMMANDS_NAME)

CA_FILE: Final = "ca.crt"
GATEWAY_CERTIFICATE_FILE: Final = "gateway.crt"
GATEWAY_KEY_FILE: Final = "gateway.key"
COMMANDS_CERTIFICATE_FILE: Final = "commands.crt"
COMMANDS_KEY_FILE: Final = "commands.key"
DEVICE_CERTIFICATE_FILE: Final = "device.crt"
DEVICE_KEY_FILE: Final = "device.key"
MODEL_ROOT_FILE: Final = "model-root.json"

DEFAULT_ENROL_PORT: Final = 8443
