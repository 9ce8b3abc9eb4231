#!/bin/sh
# Spark for the tests of the batch layer: PySpark into the virtual environment, Java from Debian.
set -eu
venv=${1:-.venv}

PIP_CONSTRAINT=constraints.txt "$venv/bin/python" -m pip --disable-pip-version-check --quiet install --editable '.[spark]'
command -v java >/dev/null && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing Java ..."
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends default-jre-headless >/dev/null
else
    echo "missing: java; the tests are skipped. sudo apt install default-jre-headless" >&2
fi
