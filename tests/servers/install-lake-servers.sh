#!/bin/sh
# Servers for the suites of stores and catalogues that no Debian package has: Azurite (npm), HDFS and a
# Hive metastore, whose jars PySpark brings: 2.4 has Hadoop's servers, 4.0 has Hive's. Half a gigabyte of
# downloads, 550 MB on disk. What is left out is skipped by the tests, with that reason.
set -eu
venv=${1:-.venv}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

command -v java >/dev/null || { echo "missing: java (Debian package default-jre-headless)" >&2; }
if command -v npm >/dev/null; then
    # Aside first: an installation that failed must not be taken for one the next time.
    if [ ! -d "$venv/azurite/node_modules" ]; then
        npm install --loglevel=error --no-fund --no-audit --no-progress --prefix "$work/azurite" azurite@3.37.0 >/dev/null
        rm -rf "$venv/azurite"
        mv "$work/azurite" "$venv/azurite"
    fi
else
    echo "missing: npm (Debian package npm): Azure Blob is left out" >&2
fi

# jars VERSION FOLDER PATTERN: the jars of a PySpark release whose names the pattern matches.
jars() {
    [ ! -d "$venv/$2" ] || return 0
    # Old releases are built with old tools.
    python3 -m venv "$work/build"
    "$work/build/bin/pip" install --quiet 'setuptools<60' wheel 'pypandoc==1.7.5'
    "$work/build/bin/pip" download --quiet --no-deps --no-build-isolation --dest "$work" "pyspark==$1"
    mkdir -p "$work/$2"
    tar xzf "$work/pyspark-$1.tar.gz" -C "$work" --wildcards '*/deps/jars/*'
    mkdir -p "$work/jars"
    ls "$work/pyspark-$1/deps/jars" | grep -E "$3" | while read -r jar; do
        mv "$work/pyspark-$1/deps/jars/$jar" "$work/jars/"
    done
    mkdir -p "$venv/$2"
    mv "$work/jars" "$venv/$2/jars"
    rm -rf "${work:?}"/pyspark-*
}
jars 2.4.8 hdfs '^(hadoop-(annotations|auth|common|hdfs)|commons-(cli|codec|coll|conf|io|lang|log)|guava-1|htrace|javax.servlet-api|javax.ws.rs-api|jetty-|leveldbjni|log4j-1|netty-|protobuf-java|slf4j-|xercesImpl|xml|jsp-api|jackson-.*asl)'
jars 4.0.5 hive-metastore '^(hive-(common|exec|metastore|serde|shims|storage)|hadoop-client|datanucleus|derby|javax.jdo|jdo-api|HikariCP|libthrift|libfb303|log4j-|slf4j-|jcl-|jul-|commons-|guava|jackson-|antlr-|ST4|stax|transaction-api|jta|javax|joda|failureaccess|http(client|core)|protobuf-java|jakarta|jpam|super-csv|opencsv|gson|oro|ivy)'
