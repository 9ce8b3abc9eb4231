"""A whole edge node of PyPI's pysparkplug, in a process with the older paho that it wants.

    python pysparkplug_node.py FOLDER PORT VALUES

It connects, says VALUES values (0.0, 1.0, …) and stays until its standard input ends.
"""

from __future__ import annotations

import sys


def main(folder: str, port: int, values: int) -> None:
    sys.path[0] = folder  # for that of this script, whose http.py is not the standard one
    import pysparkplug as sparkplug

    def metric(value: float) -> sparkplug.Metric:
        now = sparkplug.get_current_timestamp()
        return sparkplug.Metric(now, "Level", sparkplug.DataType.DOUBLE, value=value)

    node = sparkplug.EdgeNode(
        "plant", "theirs", [metric(-1.0)], sparkplug.Client(client_id="theirs")
    )
    device = sparkplug.Device("tank", [metric(-1.0)])
    node.register(device)
    node.connect("127.0.0.1", port=port)
    while not node._connected:
        pass
    for value in range(values):
        node.update([metric(float(value))])
        node.update_device("tank", [metric(float(value))])
    print("said", flush=True)
    sys.stdin.read()
    node.disconnect()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
