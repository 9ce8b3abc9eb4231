"""Prepare InfluxDB 1.x: an administrator, the database, a user that writes, one that reads.

Runs once, before the gateway, and may run again: everything is made only where it is missing, and a
password that was changed in its file is set anew. The first user of a locked server may be made
without a password; from then on the administrator's is needed.
"""

import base64
import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

URL = os.environ["INFLUXDB_URL"]
RETENTION = os.environ["INFLUXDB_RETENTION"]
SECRETS = Path("/run/secrets")
DATABASE = "iot"


def password(user: str) -> str:
    """A user's password, from its secret."""
    return (SECRETS / f"influxdb_{user}").read_text(encoding="utf-8").strip()


def ask(statement: str, *, as_admin: bool = True) -> dict[str, object]:
    """One InfluxQL statement; an error of the server ends the program with its text."""
    request = urllib.request.Request(  # noqa: S310  (the address is compose's)
        f"{URL}/query", data=urllib.parse.urlencode({"q": statement}).encode()
    )
    if as_admin:
        token = base64.b64encode(f"admin:{password('admin')}".encode()).decode()
        request.add_header("Authorization", f"Basic {token}")
    with urllib.request.urlopen(request, timeout=10) as reply:  # noqa: S310
        answer: dict[str, object] = json.load(reply)["results"][0]
    if "error" in answer:
        sys.exit(f"influxdb refused: {statement.split(' WITH PASSWORD')[0]}: {answer['error']}")
    return answer


def make_admin() -> None:
    """The first user; on a server that has one, a 401 says that the job was done before."""
    try:
        ask(
            f"CREATE USER admin WITH PASSWORD '{password('admin')}' WITH ALL PRIVILEGES",
            as_admin=False,
        )
    except urllib.error.HTTPError as error:
        if error.code not in {401, 403}:
            raise


def main() -> None:
    """All of it, in order."""
    make_admin()
    ask(f'CREATE DATABASE "{DATABASE}"')
    ask(f'ALTER RETENTION POLICY "autogen" ON "{DATABASE}" DURATION {RETENTION} DEFAULT')
    for user, right in (("gateway", "WRITE"), ("grafana", "READ")):
        ask(f"CREATE USER {user} WITH PASSWORD '{password(user)}'")
        ask(f'GRANT {right} ON "{DATABASE}" TO {user}')
    print(f"influxdb is ready: database {DATABASE}, kept for {RETENTION}")


if __name__ == "__main__":
    main()
