"""Servers of the Hadoop family, from jars that other packages bring (tests/servers/install-lake-servers.sh)."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from xml.sax.saxutils import escape

#: Hadoop and Hive look into Java's own classes, which Java 17 does not allow unasked.
_OPENED = (
    "java.lang", "java.util", "java.util.concurrent", "java.net", "java.nio", "java.io",
    "java.lang.invoke", "java.lang.reflect", "sun.nio.ch", "sun.security.action",
)  # fmt: skip


def find_jars(name: str) -> Path | None:
    """The folder of a server's jars; None where they, or Java, are not installed."""
    jars = Path(sys.prefix) / name / "jars"
    return jars if jars.is_dir() and shutil.which("java") else None


def java(jars: Path | None, conf: Path, *words: str | Path) -> list[str]:
    """The command of a main class; configuration is found in ``conf``."""
    opened = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPENED]
    kerberos = "java.security.jgss/sun.security.krb5=ALL-UNNAMED"
    return [
        "java", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", *opened,
        f"--add-opens={kerberos}", f"--add-exports={kerberos}",
        "-cp", f"{conf}:{jars}/*", *map(str, words),
    ]  # fmt: skip


def write_site(file: Path, properties: dict[str, str | int | Path]) -> None:
    """A configuration file of Hadoop's kind."""
    rows = (
        f"<property><name>{name}</name><value>{escape(str(value))}</value></property>"
        for name, value in properties.items()
    )
    file.write_text(f"<configuration>{''.join(rows)}</configuration>\n")
