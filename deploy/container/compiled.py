"""Replace the sources below a folder by what Python compiles of them.

    python3 compiled.py /opt/headrace/lib/python3.11/site-packages

In an image nobody edits a library. A source would only be quoted by a traceback, which still names file and line.
"""

import importlib.util
import sys
from pathlib import Path
from py_compile import PycInvalidationMode, PyCompileError
from py_compile import compile as compile_file

#: Looks for its plugins by the names of their sources: those stay, as empty files.
FOUND_BY_SOURCE = {"apprise"}
#: Opened and read by the library itself.
READ = {"nanoarrow/_static_version.py"}


def replace(path: Path, name: str, package: str) -> None:
    """Write the compiled module, which says that it is ``name``; leave what is no module of this Python as it is."""
    is_kept = package in FOUND_BY_SOURCE
    target = Path(importlib.util.cache_from_source(path)) if is_kept else path.with_suffix(".pyc")
    # Never compared with its source, which is not there or empty.
    mode = PycInvalidationMode.UNCHECKED_HASH
    try:
        compile_file(str(path), str(target), dfile=name, doraise=True, invalidation_mode=mode)
    except PyCompileError:
        return
    if is_kept:
        path.write_bytes(b"")
    else:
        path.unlink()


def main(folder: Path, root: Path) -> None:
    """Replace everything below ``folder``, which will be the same path below / instead of ``root``."""
    for stale in folder.rglob("__pycache__/*.pyc"):
        stale.unlink()
    for path in sorted(folder.rglob("*.py")):
        below = path.relative_to(folder)
        if path.is_file() and below.as_posix() not in READ:
            replace(path, f"/{path.relative_to(root)}", below.parts[0])
    for cache in folder.rglob("__pycache__"):
        if not any(cache.iterdir()):
            cache.rmdir()


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute(), Path(sys.argv[2] if len(sys.argv) > 2 else "/").absolute())
