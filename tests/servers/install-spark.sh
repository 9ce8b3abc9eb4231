#!/bin/sh
# Spark for the tests of the batch layer: PySpark into the virtual environment, Java from Debian. And Spark as others
# have it, with Apache Iceberg, which reads our tables: a folder of its own, since the package index has
# Iceberg's jar for Spark 3.5 alone, and without the Jackson classes that it was built with. They are in Spark.
set -eu
venv=${1:-.venv}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
pip() { "$venv/bin/python" -m pip --disable-pip-version-check --quiet "$@"; }

PIP_CONSTRAINT=constraints.txt pip install --editable '.[spark]'
if ! command -v java >/dev/null || [ ! -e /usr/share/java/jarjar.jar ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "installing Java ..."
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
            default-jre-headless libjarjar-java libasm-java >/dev/null
    else
        echo "missing: java or jarjar; what needs them is skipped. sudo apt install default-jre-headless libjarjar-java libasm-java" >&2
        exit 0
    fi
fi

[ ! -d "$venv/spark-iceberg" ] || exit 0
made=$work/spark-iceberg
pip install --target "$made/site" 'pyspark==3.5.9'
pip download --no-deps --dest "$work" snowpark-connect-deps-iceberg==1.0.3
mkdir -p "$made/jars" "$work/jackson"
"$venv/bin/python" - "$work" <<'PYTHON'
import shutil, sys, zipfile
from pathlib import Path

work = Path(sys.argv[1])
jars = work / "spark-iceberg" / "jars"
(wheel,) = work.glob("*.whl")
with zipfile.ZipFile(wheel) as packed:
    (runtime,) = (name for name in packed.namelist() if "iceberg-spark-runtime-3.5_2.12" in name)
    (jars / Path(runtime).name).write_bytes(packed.read(runtime))
spark = work / "spark-iceberg" / "site" / "pyspark" / "jars"
with zipfile.ZipFile(work / "jackson.jar", "w") as merged:
    for part in ("core", "databind", "annotations"):
        (jar,) = spark.glob(f"jackson-{part}-2.*.jar")
        with zipfile.ZipFile(jar) as packed:
            for name in packed.namelist():
                if name.startswith("com/") and not name.endswith("/"):
                    merged.writestr(name, packed.read(name))
PYTHON
echo 'rule com.fasterxml.jackson.** org.apache.iceberg.shaded.com.fasterxml.jackson.@1' > "$work/rules"
java -cp '/usr/share/java/*' com.tonicsystems.jarjar.Main process "$work/rules" "$work/jackson.jar" "$made/jars/iceberg-jackson.jar"
mv "$made" "$venv/"
