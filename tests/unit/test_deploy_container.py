"""The Dockerfile and what it copies, as text; building and running is `make container-test`."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "container"
TEXT = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def copied() -> set[str]:
    """What is copied from the repository."""
    lines = re.findall(r"^COPY (?!--from)(.*)$", TEXT, re.M)
    return {word.rstrip("/") for line in lines for word in line.split()[:-1]}


def test_what_is_copied_exists() -> None:
    """A renamed file is noticed before somebody builds."""
    assert all((ROOT / path).exists() for path in copied())


def test_everything_that_the_wheel_needs_is_copied() -> None:
    """A package or folder that pyproject.toml adds to the wheel must be in the build."""
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {*wheel["packages"], *wheel.get("force-include", {})}
    assert needed <= copied()


def test_the_base_image_is_an_argument_and_runs_as_nobody_in_particular() -> None:
    """No stage is tied to a registry, and the user is a number that orchestrators can check."""
    assert re.search(r"^ARG BASE=", TEXT, re.M)
    stages = set(re.findall(r"^FROM \S+ AS (\S+)$", TEXT, re.M))
    bases = set(re.findall(r"^FROM (\S+)", TEXT, re.M))
    assert bases - stages == {"${BASE}", "scratch"}
    assert re.search(r"^USER \d{4,}:\d{4,}$", TEXT, re.M)


def test_nothing_depends_on_the_architecture() -> None:
    """One file for amd64 and arm64."""
    scripts = [TEXT, *(path.read_text(encoding="utf-8") for path in FOLDER.glob("*.sh"))]
    for text in scripts:
        code = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
        assert not re.search("x86|amd64|arm64|aarch64|--platform", code)


def test_every_program_has_a_target() -> None:
    """And a build without --target gives the gateway."""
    targets = re.findall(r"^FROM runtime AS (\S+)$", TEXT, re.M)
    assert sorted(targets) == ["agent", "cloud-sync", "gateway"]
    assert targets[-1] == "gateway"


def test_requirements_are_those_of_pyproject() -> None:
    """The slow layer is made from them alone."""
    script = FOLDER / "requirements.py"
    said = subprocess.run(
        [sys.executable, script, "cloud", "query"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    project = PROJECT["project"]
    extras = project["optional-dependencies"]
    assert said == [*project["dependencies"], *extras["cloud"], *extras["query"]]
    wrong = subprocess.run(
        [sys.executable, script, "clod"], capture_output=True, text=True, check=False
    )
    assert wrong.returncode != 0
    assert "no extra 'clod'" in wrong.stderr


@pytest.mark.parametrize(
    ("target", "always"),
    [("gateway", ["gateway", "onnx"]), ("cloud-sync", ["cloud", "query", "serve"])],
)
def test_the_extras_of_an_image_variant_are_those_of_pyproject(
    target: str, always: list[str]
) -> None:
    """None by default; page, Dockerfile and .env.example name some that exist and are not in it anyway."""
    stage = TEXT.split(f"FROM build AS {target}-needs\n")[1].split("\nFROM ")[0]
    assert stage.startswith('ARG EXTRAS=""\n')
    assert f"requirements.py {' '.join(always)} ${{EXTRAS}} >" in stage
    texts = [TEXT] + [
        (ROOT / path).read_text(encoding="utf-8")
        for path in ("deploy/compose/.env.example", "docs/how-to/gateway-container.md", "docs/how-to/compute.md")
    ]  # fmt: skip
    extras = PROJECT["project"]["optional-dependencies"]
    known = {need for name in always for need in extras[name]}
    named = {
        name
        for text in texts
        for names in re.findall(VARIANT[target], text)
        for name in names.split()
    }
    assert named
    assert all(set(extras[name]) - known for name in named)


#: How a text names the extras of an image.
VARIANT = {
    "gateway": r'(?:--target gateway --build-arg |GATEWAY_)EXTRAS="([a-z ]+)"',
    "cloud-sync": r'(?:CLOUD_SYNC_)EXTRAS="([a-z ]+)"',
}


SOURCES = {
    "plain/__init__.py": "",
    "plain/part.py": 'def g():\n    """Said."""\n    assert False, "still here"\n',
    "apprise/__init__.py": '"""Found by its source."""\nN = 7\n',
    "template.py": "{% not Python %}\n",
}
LOOK = """
import apprise, sys, traceback
from plain import part
assert (part.g.__doc__, apprise.N) == ("Said.", 7)
try:
    part.g()
except AssertionError as error:
    (*_, last) = traceback.extract_tb(error.__traceback__)
    print(last.filename, last.lineno)
"""


def test_libraries_of_an_image_work_without_sources(tmp_path: Path) -> None:
    """Asserts and docstrings are there, and a traceback names file and line of the image."""
    for name, text in SOURCES.items():
        path = tmp_path / "site" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    compiled = [sys.executable, FOLDER / "compiled.py", tmp_path / "site", tmp_path]
    subprocess.run(compiled, check=True, timeout=60)
    said = subprocess.run(
        [sys.executable, "-I", "-B", "-c", f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r})\n{LOOK}"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (said.stderr, said.stdout) == ("", "/site/plain/part.py 3\n")
    left = {
        path.relative_to(tmp_path / "site").as_posix(): path.stat().st_size > 0
        for path in tmp_path.rglob("*.py")
    }
    assert left == {"apprise/__init__.py": False, "template.py": True}
