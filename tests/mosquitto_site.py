"""A gateway and a real mosquitto, set up by `gateway mosquitto-config` as the documentation says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.enrolment import EnrolSite, make_site, run_gateway
from tests.programs import Programs
from tests.servers import free_port, listens, start_process
from tests.servers.mosquitto import EXECUTABLE


@contextmanager
def mosquitto_site(folder: Path, *, more: str = "", **options: Any) -> Iterator[EnrolSite]:
    """Both running, with certificates, and nobody enrolled yet.

    Args:
        folder: ``mosquitto.pid`` is in it, and ``conf``, the files that the gateway writes.
        more: tables of the gateway's configuration.
        options: of ``make_site``.
    """
    assert EXECUTABLE is not None
    programs, port = Programs(folder), free_port()
    conf, data, pid = folder / "conf", folder / "data", folder / "mosquitto.pid"
    data.mkdir()
    enrol = f'mosquitto_dir = "{conf}"\nmosquitto_pid_file = "{pid}"\n{more}'
    made = make_site(programs, kind="external", mqtt_port=port, enrol=enrol, **options)
    arguments = ["--out", conf, "--port", port, "--bind", "127.0.0.1", "--data", data]
    result = run_gateway(made, "mosquitto-config", *map(str, arguments))
    assert result.exit_code == 0, result.output
    main = folder / "mosquitto.conf"
    # What is the machine's and not ours: the user, the pid file, the log.
    main.write_text(
        f"user root\npid_file {pid}\nlog_type all\ninclude_dir {conf}\n", encoding="utf-8"
    )
    # include_dir takes *.conf only, so keys and ACL beside it do no harm.
    with start_process(
        [EXECUTABLE, "-c", main], log=folder / "mosquitto.log", ready=lambda: listens(port)
    ):
        made.gateway.start()
        made.gateway.wait_ready()
        try:
            yield made
        finally:
            programs.close()
