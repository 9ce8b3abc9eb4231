"""``python -m tests.fuzz [TARGET]… --seconds N``: look for bytes that break a codec or the HTTP ingest.

Each target runs in a process of its own, because the fuzzer ends the one that it finds something in. It
stops at the first crash, at 20 s for one payload, and at 1 GB of memory; the payload is kept in the
folder that it names.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz import CODECS, HTTP

# atheris 3.0 never lets go of numpy arrays that instrumented code compares: 5 kB a payload here.
COLUMNAR = [
    f"headrace.codecs.{name}" for name in ("line_columns", "senml_columns", "arrow_columns")
]

MAX_PAYLOAD_S = 20
MAX_MEMORY_MB = 1_024
MAX_BYTES = 16_384


def fuzz(target: str, seconds: int, folder: Path) -> None:
    """Run one target in this process, which does not survive it."""
    import atheris

    with atheris.instrument_imports(
        include=["headrace.codecs", "headrace.batch", "gateway.api"], exclude=COLUMNAR
    ):
        if target in HTTP:
            from tests.fuzz.http import TARGETS, seeds
        else:
            from tests.fuzz.targets import TARGETS, seeds
    corpus = folder / target
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds(target)):
        (corpus / f"seed-{number:03d}").write_bytes(seed)
    options = [
        f"-max_total_time={seconds}", f"-timeout={MAX_PAYLOAD_S}", f"-rss_limit_mb={MAX_MEMORY_MB}",
        f"-max_len={MAX_BYTES}", f"-artifact_prefix={folder}/found-{target}-", "-verbosity=0", "-print_final_stats=1",
    ]  # fmt: skip
    atheris.Setup([sys.argv[0], *options, str(corpus)], TARGETS[target])
    atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", nargs="*", choices=[[], *CODECS, *HTTP], help="default: all")
    parser.add_argument("--seconds", type=int, default=60, help="for each target (60)")
    parser.add_argument(
        "--keep", type=Path, help="folder for corpus and findings (a temporary one)"
    )
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    folder = given.keep or Path(tempfile.mkdtemp(prefix="headrace-fuzz-"))
    if given.here:
        fuzz(given.target[0], given.seconds, folder)
    failed = []
    for target in given.target or (*CODECS, *HTTP):
        print(f"fuzzing {target} for {given.seconds} s ...", flush=True)
        command = [sys.executable, "-m", "tests.fuzz", target, "--here"]
        command += ["--seconds", str(given.seconds), "--keep", str(folder)]
        if subprocess.run(command, check=False).returncode:
            failed.append(target)
    print(f"found something in {', '.join(failed)}: see {folder}" if failed else "nothing found")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
