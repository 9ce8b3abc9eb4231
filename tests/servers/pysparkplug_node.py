"""A whole edge node of PyPI's pysparkplug, in a process with the older paho that it wants.

    python pysparkplug_node.py FOLDER PORT VALUES

It connects, says VALUES values (0.0, 1.0, …) and stays until its standard input ends.
"""

from __future__ import annotations

import queue
import sys
from typing import Any


def main(folder: str, port: int, values: int) -> None:
    sys.path[0] = folder  # for that of this script, whose http.py is not the standard one
    import pysparkplug as sparkplug

    def metric(value: float) -> sparkplug.Metric:
        now = sparkplug.get_current_timestamp()
        return sparkplug.Metric(now, "Level", sparkplug.DataType.DOUBLE, value=value)

    client = sparkplug.Client(client_id="theirs")
    births = _counted(client)
    node = sparkplug.EdgeNode("plant", "theirs", [metric(-1.0)], client)
    device = sparkplug.Device("tank", [metric(-1.0)])
    node.register(device)
    node.connect("127.0.0.1", port=port)
    # It says its births in another thread, and takes updates before they are out.
    for _ in ("NBIRTH", "DBIRTH"):
        births.get(timeout=20)
    for value in range(values):
        node.update([metric(float(value))])
        node.update_device("tank", [metric(float(value))])
    print("said", flush=True)
    sys.stdin.read()
    node.disconnect()


def _counted(client: Any) -> queue.SimpleQueue[bool]:
    """An entry for every message that has been published."""
    said: queue.SimpleQueue[bool] = queue.SimpleQueue()
    publish = client.publish

    def publish_and_tell(*args: Any, **kwargs: Any) -> None:
        publish(*args, **kwargs)
        said.put(True)

    client.publish = publish_and_tell
    return said


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
