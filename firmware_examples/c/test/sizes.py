"""Code and RAM of the library on a Cortex-M3, as a table for the README.

python3 test/sizes.py BUILD            print the table (after: make cortex-m)
python3 test/sizes.py BUILD README.md  write it between the README's marks
"""

import subprocess
import sys
from pathlib import Path

BEGIN, END = "<!-- sizes: begin -->\n", "<!-- sizes: end -->"
WHAT = {
    "hr_senml": "SenML, JSON and CBOR",
    "hr_ring": "the ring in flash",
    "hr_document": "reading acks and nacks",
    "hr_uplink": "resend until acknowledged, state",
    "hr_bytes": "CRC, bytes",
    "hr_mqtt": "MQTT (leave it out where you have one)",
}


def run(*words: str | Path) -> list[list[str]]:
    """The words of each line that a tool prints."""
    done = subprocess.run(
        [f"arm-none-eabi-{words[0]}", *words[1:]], capture_output=True, text=True, check=True
    )
    return [line.split() for line in done.stdout.splitlines()]


def code(objects: Path) -> dict[str, int]:
    """Bytes of flash by file: code, constants and initial values."""
    rows = run("size", *[objects / f"{name}.o" for name in WHAT])[1:]
    return {Path(row[-1]).stem: int(row[0]) + int(row[1]) for row in rows}


def ram(objects: Path) -> dict[str, int]:
    """Bytes of each struct."""
    rows = run("nm", "-S", objects / "ram.o")
    return {row[3].removeprefix("ram_"): int(row[1], 16) for row in rows if len(row) == 4}


def frame(objects: Path) -> int:
    """The largest stack frame of any function."""
    lines = [line for path in objects.glob("hr_*.su") for line in path.read_text().splitlines()]
    return max(int(line.split("\t")[1]) for line in lines)


def table(objects: Path) -> str:
    """All of it as Markdown."""
    codes, structs = code(objects), ram(objects)
    rows = ["| file | what | flash, bytes |", "|---|---|---:|"]
    rows += [f"| {name} | {what} | {codes[name]} |" for name, what in WHAT.items()]
    rows += [f"| all | | {sum(codes.values())} |", "", "| RAM | bytes |", "|---|---:|"]
    rows += [f"| `hr_{name}` | {size} |" for name, size in sorted(structs.items())]
    rows += ["| the buffer for a pack, yours to choose | 256 and more |"]
    rows += ["| the buffer for MQTT packets, yours to choose | 256 and more |"]
    rows += [f"| largest stack frame of a function | {frame(objects)} |"]
    return "\n".join(rows) + "\n"


def main() -> None:
    """Print the table, or put it into the README."""
    made = table(Path(sys.argv[1]) / "objects")
    if len(sys.argv) < 3:
        print(made, end="")
        return
    readme = Path(sys.argv[2])
    before, _, rest = readme.read_text(encoding="utf-8").partition(BEGIN)
    readme.write_text(before + BEGIN + made + END + rest.partition(END)[2], encoding="utf-8")


if __name__ == "__main__":
    main()
