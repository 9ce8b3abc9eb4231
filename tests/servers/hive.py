"""A real Hive metastore (2.3, whose jars PySpark brings) on an embedded Derby database."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers import free_port, listens, start_process
from tests.servers.java import find_jars, java, write_site

_LOG = """status = ERROR
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %p %c: %m%n
rootLogger.level = WARN
rootLogger.appenderRef.console.ref = console
"""

#: The metastore makes the tables of its own objects; those of its locks come from a script of Hive's that
#: no package brings: this is what a lock of a table needs of it.
_LOCKS = """
connect 'jdbc:derby:{database};create=true;user=APP;password=mine';
CREATE TABLE TXNS (TXN_ID bigint PRIMARY KEY, TXN_STATE char(1) NOT NULL,
  TXN_STARTED bigint NOT NULL, TXN_LAST_HEARTBEAT bigint NOT NULL, TXN_USER varchar(128) NOT NULL,
  TXN_HOST varchar(128) NOT NULL, TXN_AGENT_INFO varchar(128), TXN_META_INFO varchar(128),
  TXN_HEARTBEAT_COUNT integer);
CREATE TABLE HIVE_LOCKS (HL_LOCK_EXT_ID bigint NOT NULL, HL_LOCK_INT_ID bigint NOT NULL,
  HL_TXNID bigint, HL_DB varchar(128) NOT NULL, HL_TABLE varchar(128), HL_PARTITION varchar(767),
  HL_LOCK_STATE char(1) NOT NULL, HL_LOCK_TYPE char(1) NOT NULL, HL_LAST_HEARTBEAT bigint NOT NULL,
  HL_ACQUIRED_AT bigint, HL_USER varchar(128) NOT NULL, HL_HOST varchar(128) NOT NULL,
  HL_HEARTBEAT_COUNT integer, HL_AGENT_INFO varchar(128), HL_BLOCKEDBY_EXT_ID bigint,
  HL_BLOCKEDBY_INT_ID bigint, PRIMARY KEY (HL_LOCK_EXT_ID, HL_LOCK_INT_ID));
CREATE TABLE NEXT_LOCK_ID (NL_NEXT bigint NOT NULL);
INSERT INTO NEXT_LOCK_ID VALUES (1);
CREATE TABLE AUX_TABLE (MT_KEY1 varchar(128) NOT NULL, MT_KEY2 bigint NOT NULL,
  MT_COMMENT varchar(255), PRIMARY KEY (MT_KEY1, MT_KEY2));
exit;
"""


def find_hive() -> Path | None:
    """The folder of the jars; None where they are not installed."""
    return find_jars("hive-metastore")


@contextmanager
def run_hive(folder: Path) -> Iterator[str]:
    """A metastore without tables; its address."""
    folder.mkdir(parents=True, exist_ok=True)
    port, database, jars = free_port(), folder / "metastore", find_hive()
    (folder / "hive-log4j2.properties").write_text(_LOG)
    write_site(folder / "hive-site.xml", _settings(folder, database))
    script = folder / "locks.sql"
    script.write_text(_LOCKS.format(database=database))
    subprocess.run(
        java(jars, folder, f"-Dderby.stream.error.file={folder / 'ij.log'}",
             "org.apache.derby.tools.ij", script),
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    argv = java(
        jars, folder, f"-Dderby.stream.error.file={folder / 'derby.log'}",
        "org.apache.hadoop.hive.metastore.HiveMetaStore", "-p", str(port),
    )  # fmt: skip
    with start_process(
        argv, log=folder / "hive.log", ready=lambda: listens(port), deadline_s=120, cwd=folder
    ):
        yield f"thrift://127.0.0.1:{port}"


def _settings(folder: Path, database: Path) -> dict[str, str | int | Path]:
    return {
        "javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={database}",
        "datanucleus.schema.autoCreateAll": "true",
        "datanucleus.connectionPoolingType": "HikariCP",
        "hive.metastore.schema.verification": "false",
        "hive.metastore.warehouse.dir": folder / "warehouse",
        # The asynchronous one wants a jar that is not there.
        "hive.async.log.enabled": "false",
    }
