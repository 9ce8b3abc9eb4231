"""Runs in MicroPython: the firmware's encoder and document parsers against the wire vectors.

micropython mp_vectors.py <folder of the firmware> <manifest.json>
"""

import json
import sys

sys.path.insert(0, sys.argv[1])

import hr_senml
import hr_uplink

KEYS = ("name", "unit", "absolute", "time_us", "mantissa", "decimals")


def check(vector, found, expected):
    """End with status 1 at the first difference."""
    if found != expected:
        print(vector["id"], vector["title"], "\nfound   ", found, "\nexpected", expected)
        sys.exit(1)


def written(task):
    """What the firmware writes for a vector."""
    readings = [tuple([reading[key] for key in KEYS]) for reading in task["readings"]]
    return hr_senml.pack(task["stream"], task["seq"], readings, task["prefix"])


folder = sys.argv[2][: -len("manifest.json")]
with open(sys.argv[2]) as file:
    vectors = json.load(file)["vectors"]
packs = documents = 0
for vector in vectors:
    with open(folder + vector["file"], "rb") as file:
        data = file.read()
    if "writes" in vector and vector["format"] == "senml-json":
        check(vector, written(vector["writes"]), data)
        packs += 1
    elif vector["kind"] == "ack":
        check(vector, hr_uplink.ranges_of(hr_uplink.document(data)), vector.get("ranges", []))
        documents += 1
    elif vector["kind"] == "nack":
        check(vector, hr_uplink.crc_of(hr_uplink.document(data)), vector.get("crc"))
        documents += 1
print(packs, "written,", documents, "documents")
