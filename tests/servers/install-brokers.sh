#!/bin/sh
# Brokers of other makes for tests/contract/test_brokers.py: RabbitMQ (Debian), aedes (npm); NATS comes with the
# tests' own packages. HiveMQ CE and Apache Kafka are in none of these: whoever has their jars, with all that they need
# at run time, puts them into .venv/hivemq/jars and .venv/apache-kafka/jars (and has a JDK). What is left out is
# skipped by the tests, with that reason.
set -eu
venv=${1:-.venv}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if command -v npm >/dev/null; then
    [ -d "$venv/aedes" ] || npm install --silent --no-fund --no-audit --prefix "$venv/aedes" aedes@1.2.0
else
    echo "missing: npm (Debian package npm): aedes is left out" >&2
fi
if [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ]; then
    exit 0
elif [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    # Debian must not start a server of its own.
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        printf '#!/bin/sh\nexit 101\n' > "$work/policy-rc.d"
        install -m 755 "$work/policy-rc.d" /usr/sbin/policy-rc.d
        trap 'rm -rf "$work" /usr/sbin/policy-rc.d' EXIT
    fi
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends rabbitmq-server >/dev/null
else
    echo "missing: rabbitmq-server (Debian package rabbitmq-server), which is left out" >&2
fi
