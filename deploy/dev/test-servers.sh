#!/bin/sh
# The servers that tests talk to, from Debian: installed where we may, otherwise named with the
# tests that are left out for the want of them.
set -eu
PATH=$PATH:/usr/sbin

missing=
need() { # command, package, tests
    command -v "$1" >/dev/null || { missing="$missing $2"; reasons="${reasons:-}  $2: $3
"; }
}
need mosquitto mosquitto "external broker, agent over MQTT, kill test, bench"
need influxd influxdb "InfluxDB 1.x sink"
need victoria-metrics victoria-metrics "InfluxDB v2 write API"
need pg_ctlcluster postgresql "PostgreSQL sink"
need chromium chromium "console in a browser"
need strace strace "what is fsynced, by system calls"
need faketime faketime "clocks that are set"

[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing$missing ..."
    apt-get update -qq
    # Servers are started by the tests, on free ports; Debian must not start its own.
    printf '#!/bin/sh\nexit 101\n' > /tmp/policy-rc.d.$$
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        install -m 755 /tmp/policy-rc.d.$$ /usr/sbin/policy-rc.d
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    rm -f /tmp/policy-rc.d.$$
    # shellcheck disable=SC2086
    if DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        $missing fonts-dejavu-core >/dev/null; then
        exit 0
    fi
    echo "not all of them could be installed"
fi
echo "Not root, or not installable: tests that need these packages are skipped:"
printf '%s' "$reasons"
echo "To run them too: sudo apt install$missing"
