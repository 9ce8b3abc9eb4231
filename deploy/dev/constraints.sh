#!/bin/sh
# Resolve pyproject.toml afresh in a throw-away environment and write the pins, names and versions only.
set -eu
python=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --upgrade pip
"$work/venv/bin/python" -m pip install --quiet --editable '.[all]' --group dev --group firmware hatchling editables
{
    echo "# Pins of everything that the project installs; renewed by: make constraints"
    "$work/venv/bin/python" -m pip freeze --exclude-editable --all \
        | grep -E '^[A-Za-z0-9_.-]+==' | grep -vE '^(setuptools|wheel)=='
} > constraints.txt
