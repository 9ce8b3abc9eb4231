#!/bin/sh
# Brokers of other makes for tests/contract/test_brokers.py, and Apache Kafka: HiveMQ CE and Kafka (Maven), RabbitMQ
# (Debian), aedes (npm). 190 MB of downloads. What is left out is skipped by the tests, with that reason.
set -eu
venv=${1:-.venv}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# jars FOLDER GROUP ARTIFACT VERSION: an artifact with all that it needs at run time.
jars() {
    [ ! -d "$venv/$1" ] || return 0
    cat > "$work/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>headrace</groupId><artifactId>$1</artifactId><version>1</version>
  <dependencies><dependency><groupId>$2</groupId><artifactId>$3</artifactId><version>$4</version></dependency></dependencies>
</project>
POM
    mvn --quiet --batch-mode --file "$work/pom.xml" dependency:copy-dependencies -DincludeScope=runtime \
        "-DoutputDirectory=$work/$1/jars"
    mv "$work/$1" "$venv/$1"
}
if command -v mvn >/dev/null && command -v javac >/dev/null; then
    jars hivemq com.hivemq hivemq-community-edition-embedded 2025.5
    jars apache-kafka org.apache.kafka kafka_2.13 4.1.0
else
    echo "missing: mvn or javac (Debian packages maven, default-jdk-headless): HiveMQ and Apache Kafka are left out" >&2
fi
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
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends rabbitmq-server >/dev/null
else
    echo "missing: rabbitmq-server (Debian package rabbitmq-server), which is left out" >&2
fi
