#!/bin/sh
# Make a virtual environment; on Debian the module for it is a package of its own.
set -eu
python=$1
venv=$2

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "Headrace needs Python 3.11 or newer, $python is $("$python" --version 2>&1)." >&2
    echo "Name another one: make PYTHON=python3.12 ..." >&2
    exit 2
fi
if "$python" -m venv "$venv" >/dev/null 2>&1; then
    exit 0
fi
rm -rf "$venv"
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing python3-venv ..."
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends python3-venv >/dev/null
    exec "$python" -m venv "$venv"
fi
echo "Python's venv module is missing. Install it and try again: sudo apt install python3-venv" >&2
exit 2
