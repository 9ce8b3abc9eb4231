"""Runs at power-on: settings.json, the board's sensors, for ever."""

import json
import ssl

import board
from hr_device import Device


def tls_context(files):
    """Mutual TLS from DER files; None where settings say "tls": null."""
    if not files:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=_read(files["ca"]))
    if files.get("cert"):
        context.load_cert_chain(_read(files["cert"]), _read(files["key"]))
    return context


def _read(path):
    with open(path, "rb") as file:
        return file.read()


def main():
    """Never returns."""
    with open("settings.json") as file:
        settings = json.load(file)
    Device(
        settings,
        board.SERIES,
        board.make_sampler(),
        tls_context(settings["tls"]),
        lambda: board.before_connect(settings["wifi"]),
    ).run()


if __name__ == "__main__":
    main()
