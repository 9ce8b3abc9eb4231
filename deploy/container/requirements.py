"""Print what extras of pyproject.toml need, one requirement a line, for pip install -r.

The image's slow layer is made from this alone, so that it is built again only when a dependency
changes and not with every line of our own code.
"""

import sys
import tomllib
from pathlib import Path
from typing import Any


def requirements(project: dict[str, Any], chosen: list[str]) -> list[str]:
    """The dependencies that every program has, then those of the extras."""
    extras = project["optional-dependencies"]
    unknown = [extra for extra in chosen if extra not in extras]
    if unknown:
        raise SystemExit(
            f"no extra {unknown[0]!r} in pyproject.toml; there are {', '.join(extras)}"
        )
    return [*project["dependencies"], *(need for extra in chosen for need in extras[extra])]


if __name__ == "__main__":
    text = Path(__file__).parents[2].joinpath("pyproject.toml").read_text(encoding="utf-8")
    print("\n".join(requirements(tomllib.loads(text)["project"], sys.argv[1:])))
