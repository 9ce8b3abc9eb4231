"""Replace the sources below a folder by what Python compiles of them, without docstrings.

    python3 compiled.py /opt/headrace/lib/python3.11/site-packages

In an image nobody edits a library and nobody calls help(). A source would only be quoted by a traceback,
which still names file and line; docstrings are a sixth of what is compiled. ``python3 -OO`` would take the
asserts with them, and libraries check with those. Docstrings stay where they are used: in a package that
names ``__doc__`` anywhere (NumPy and SQLAlchemy assert what theirs say), and at a dataclass, which without
one makes itself a signature at each start.
"""

import ast
import importlib.util
import marshal
import sys
import warnings
from pathlib import Path
from types import CodeType

#: Looks for its plugins by the names of their sources: those stay, as empty files.
FOUND_BY_SOURCE = {"apprise"}
#: Opened and read by the library itself.
READ = {"nanoarrow/_static_version.py"}

#: In the file's head: found by its hash, and never compared with a source.
_UNCHECKED = b"\x01\x00\x00\x00"


def without_docstrings(tree: ast.Module) -> ast.Module:
    """The same module; a body that was a docstring alone is ``pass``."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if ast.get_docstring(node, clean=False) is not None and not is_dataclass(node):
            line = node.body[0].lineno
            node.body = node.body[1:] or [ast.Pass(lineno=line, col_offset=0)]
    return ast.fix_missing_locations(tree)


def is_dataclass(node: ast.AST) -> bool:
    """By the names of its decorators."""
    decorators = node.decorator_list if isinstance(node, ast.ClassDef) else []
    return any("dataclass" in ast.unparse(decorator) for decorator in decorators)


def code_of(source: bytes, name: str, *, documented: bool) -> CodeType:
    """What Python runs, with the file's name as the image has it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(source, name)
        if not documented:
            tree = without_docstrings(tree)
        return compile(tree, name, "exec", dont_inherit=True)


def replace(path: Path, name: str, *, keep_empty: bool, documented: bool) -> None:
    """Write the compiled module; leave what is no module of this Python as it is."""
    source = path.read_bytes()
    try:
        code = code_of(source, name, documented=documented)
    except (SyntaxError, ValueError):
        return
    head = importlib.util.MAGIC_NUMBER + _UNCHECKED + importlib.util.source_hash(source)
    compiled = (
        Path(importlib.util.cache_from_source(path)) if keep_empty else path.with_suffix(".pyc")
    )
    compiled.parent.mkdir(exist_ok=True)
    compiled.write_bytes(head + marshal.dumps(code))
    if keep_empty:
        path.write_bytes(b"")
    else:
        path.unlink()


def main(folder: Path, root: Path) -> None:
    """Replace everything below ``folder``, which will be the same path below / instead of ``root``."""
    for stale in folder.rglob("__pycache__/*.pyc"):
        stale.unlink()
    for package in sorted(folder.iterdir()):
        sources = [
            path
            for path in (package, *package.rglob("*"))
            if path.suffix == ".py" and path.is_file()
        ]
        documented = any(b"__doc__" in path.read_bytes() for path in sources)
        for path in sources:
            if path.relative_to(folder).as_posix() not in READ:
                replace(
                    path, f"/{path.relative_to(root)}",
                    keep_empty=package.name in FOUND_BY_SOURCE, documented=documented,
                )  # fmt: skip
    for cache in folder.rglob("__pycache__"):
        if not any(cache.iterdir()):
            cache.rmdir()


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute(), Path(sys.argv[2] if len(sys.argv) > 2 else "/").absolute())
