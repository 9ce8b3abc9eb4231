"""HDFS: a real name node and a real data node (Hadoop 2.7, whose jars an old PySpark brings)."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from headrace.lake.config import Lake
from headrace.lake.store_config import Hdfs
from tests.servers import free_port, start_process
from tests.servers.java import find_jars, java, write_site

_SERVER = "org.apache.hadoop.hdfs.server"
_LOG = """log4j.rootLogger=INFO, console
log4j.appender.console=org.apache.log4j.ConsoleAppender
log4j.appender.console.layout=org.apache.log4j.SimpleLayout
"""


@dataclass(frozen=True, slots=True)
class HdfsServer:
    """Where a running name node is."""

    port: int
    conf: Path

    def lake(self, prefix: str) -> Lake:
        return Lake(
            uri=f"hdfs://127.0.0.1:{self.port}/{prefix}", hdfs=Hdfs(config_folder=self.conf)
        )


def find_hdfs() -> Path | None:
    """The folder of the jars; None where they are not installed."""
    return find_jars("hdfs")


@contextmanager
def run_hdfs(folder: Path) -> Iterator[HdfsServer]:
    """A file system of one data node, empty."""
    conf, port = folder / "conf", free_port()
    for name in ("hdfs", "datanode", "static"):
        (conf / "webapps" / name / "WEB-INF").mkdir(parents=True)
    (conf / "log4j.properties").write_text(_LOG)
    for name in ("core-site.xml", "hdfs-site.xml"):
        write_site(conf / name, _settings(folder / "data", port))
    name_node, data_node = f"{_SERVER}.namenode.NameNode", f"{_SERVER}.datanode.DataNode"
    jars = find_hdfs()
    subprocess.run(
        java(jars, conf, name_node, "-format", "-force", "-nonInteractive"),
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    log = folder / "name-node.log"
    with (
        start_process(
            java(jars, conf, name_node), log=log, deadline_s=90,
            ready=lambda: "NameNode RPC up at" in log.read_text(),
        ),
        start_process(
            java(jars, conf, data_node), log=folder / "data-node.log", deadline_s=90,
            ready=lambda: "processReport: from storage" in log.read_text(),
        ),
    ):  # fmt: skip
        yield HdfsServer(port, conf)


def _settings(data: Path, port: int) -> dict[str, str | int | Path]:
    def address() -> str:
        return f"127.0.0.1:{free_port()}"

    return {
        "fs.defaultFS": f"hdfs://127.0.0.1:{port}",
        "dfs.replication": 1,
        "dfs.namenode.name.dir": data / "name",
        "dfs.datanode.data.dir": data / "data",
        "dfs.namenode.http-address": address(),
        "dfs.datanode.address": address(),
        "dfs.datanode.http.address": address(),
        "dfs.datanode.ipc.address": address(),
        "dfs.namenode.datanode.registration.ip-hostname-check": "false",
        # Its web interface wants jars that are not there.
        "dfs.webhdfs.enabled": "false",
        "dfs.namenode.safemode.extension": 0,
    }
