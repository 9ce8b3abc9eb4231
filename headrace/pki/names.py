"""Names in certificates, and what the files are called on both sides.

The common name of a certificate is the MQTT user. A device's is its device id. The gateway and its
broker have names with a colon, which no device id can contain: nobody can enrol as the gateway.
"""

from __future__ import annotations

from typing import Final

GATEWAY_NAME: Final = "headrace:gateway"
BROKER_NAME: Final = "headrace:broker"

CA_FILE: Final = "ca.crt"
GATEWAY_CERTIFICATE_FILE: Final = "gateway.crt"
GATEWAY_KEY_FILE: Final = "gateway.key"
DEVICE_CERTIFICATE_FILE: Final = "device.crt"
DEVICE_KEY_FILE: Final = "device.key"
MODEL_ROOT_FILE: Final = "model-root.json"

DEFAULT_ENROL_PORT: Final = 8443
