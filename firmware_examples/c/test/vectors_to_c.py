"""The wire vectors as a C header, so that a board without files can be held to them.

python3 vectors_to_c.py ../../tests/wire_vectors/manifest.json > vectors.h
"""

import json
import sys
from pathlib import Path
from typing import Any

TYPES = """\
#include <stdbool.h>
#include <stddef.h>
#include "hr_senml.h"
typedef struct { hr_series series; bool absolute; int64_t time_us; int32_t mantissa; } vector_reading;
typedef struct { const char *id; hr_format format; const char *prefix, *stream; uint64_t seq;
    uint32_t count; const vector_reading *readings; size_t length; const uint8_t *bytes; } write_vector;
typedef struct { const char *id; bool is_ack, valid; const char *stream; uint32_t range_count;
    uint64_t ranges[4][2]; uint32_t crc; const char *reason; size_t length; const uint8_t *bytes; }
    document_vector;
"""


def text(value: str) -> str:
    """A C string, byte by byte: no escape can run into what follows."""
    return '"' + "".join(f"\\{byte:03o}" for byte in value.encode()) + '"'


def data(name: str, content: bytes) -> str:
    """The bytes as an array; C knows none without elements."""
    return f"static const uint8_t {name}[] = {{{','.join(map(str, content or b'0'))}}};"


def reading(values: dict[str, Any]) -> str:
    """One reading's initialiser."""
    series = f"{{{text(values['name'])}, {text(values['unit'])}, {values['decimals']}}}"
    mantissa = f"(int32_t){values['mantissa']}LL"
    return f"{{{series}, {int(values['absolute'])}, {values['time_us']}LL, {mantissa}}}"


def main() -> None:
    """Print the header."""
    manifest = Path(sys.argv[1])
    arrays, writes, documents = [], [], []
    for vector in json.loads(manifest.read_text(encoding="utf-8"))["vectors"]:
        content = (manifest.parent / vector["file"]).read_bytes()
        name = vector["id"].replace("-", "_").lower()
        place = f"{len(content)}, {name}"
        if "writes" in vector:
            task = vector["writes"]
            rows = ", ".join(reading(values) for values in task["readings"])
            arrays.append(data(name, content))
            arrays.append(f"static const vector_reading {name}_readings[] = {{{rows}}};")
            form = "HR_JSON" if vector["format"] == "senml-json" else "HR_CBOR"
            words = f"{text(task['prefix'])}, {text(task['stream'])}, {task['seq']}ULL"
            count = len(task["readings"])
            writes.append(
                f'{{"{vector["id"]}", {form}, {words}, {count}, {name}_readings, {place}}}'
            )
        elif vector["kind"] in ("ack", "nack"):
            arrays.append(data(name, content))
            pairs = ", ".join(f"{{{a}ULL, {b}ULL}}" for a, b in vector.get("ranges", []))
            kind = f"{int(vector['kind'] == 'ack')}, {int('refused' not in vector)}"
            ranges = f"{len(vector.get('ranges', []))}, {{{pairs or '{0}'}}}"
            says = f"{vector.get('crc', 0)}U, {text(vector.get('reason', ''))}"
            stream = text(vector.get("stream", ""))
            documents.append(f'{{"{vector["id"]}", {kind}, {stream}, {ranges}, {says}, {place}}}')
    print(TYPES + "\n".join(arrays))
    print("static const write_vector write_vectors[] = {", ",\n".join(writes), "};", sep="\n")
    print("static const document_vector document_vectors[] = {", sep="\n")
    print(",\n".join(documents), "};", sep="\n")


if __name__ == "__main__":
    main()
