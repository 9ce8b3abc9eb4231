#!/bin/sh
# Take out of a virtual environment what the program of this image never loads, and say where our own
# code is. Each entry was found by looking at what a running program maps (/proc/<pid>/maps) and imports;
# `make container-test` runs the programs afterwards, so a file too many is noticed there.
set -eu
venv=$1
program=$2
here=$(dirname "$(realpath "$0")")
cd "$venv"/lib/python3*/site-packages

echo /opt/own > own.pth

# sqlite-utils depends on pip for a command that installs plugins. A read-only image installs nothing.
rm -rf pip pip-*.dist-info

# Tests, headers and sources of compiled packages: nobody compiles in the image.
find . -depth -type d \( -name tests -o -name test -o -name testing -o -name test_data \) -path '*/*/*' \
    ! -path './fastapi/*' ! -path './starlette/*' -exec rm -rf {} +
find . -type f \( -name '*.a' -o -name '*.h' -o -name '*.pxd' -o -name '*.pxi' -o -name '*.pyi' -o -name '*.pyx' \) \
    -delete
rm -rf pyarrow/include pyarrow/src pyarrow/includes numpy/distutils numpy/f2py numpy/_core/include numpy/_core/_simd.*.so
rm -f numpy/_core/*_tests.*.so pyarrow/_pyarrow_cpp_tests.*.so
rm -f ./*.dist-info/RECORD

# What compiles calls to C from Python. Compiled modules load _cffi_backend, and not these.
rm -rf cffi pycparser

# Colours for 500 programming languages.
if [ -d pygments ]; then
    find pygments/lexers -type f ! -name '__init__.py' ! -name '_mapping.py' ! -name 'python.py' \
        ! -name 'special.py' -delete
fi

# Symbols that only a debugger reads: 90 MB. NumPy's libraries are left alone, because their wheels
# were patched in a way that strip is known to break.
find . -name '*.so*' -type f ! -path './numpy*' -exec strip --strip-unneeded {} +

# pyarrow: Flight is an RPC server that nothing here has; wheels hold each library of Arrow's Python
# layer three times under the names that symbolic links would have, and only *.so.NNNN is loaded.
rm -f pyarrow/libarrow_flight* pyarrow/libarrow_python_flight* pyarrow/_flight* pyarrow/flight.py*
rm -f pyarrow/libarrow_python*.so pyarrow/libarrow_python*.so.*.*.*

# Keys for Parquet files that encrypt themselves: nothing here has any.
rm -f pyarrow/libarrow_python_parquet_encryption* pyarrow/_parquet_encryption.* pyarrow/_dataset_parquet_encryption.*

# A library of Arrow that is not wanted: the wheel links every module to it. An error where one that is left
# takes a symbol from it, which would be missed not at start but at some later call.
symbols() { # --defined-only or --undefined-only, files
    nm --dynamic --just-symbols "$@" 2>/dev/null | grep '^_' | sort -u
}
without_arrow() { # name
    symbols --defined-only "pyarrow/libarrow_$1".so.* >/tmp/gone
    rm -f "pyarrow/libarrow_$1".* "pyarrow/_$1".* "pyarrow/_$1"_*.so
    symbols --defined-only pyarrow/*.so* >/tmp/left
    missed=$(symbols --undefined-only pyarrow/*.so* | comm -12 - /tmp/gone | comm -23 - /tmp/left)
    if [ -n "$missed" ]; then
        echo "trim.sh: libarrow_$1 cannot be left out, pyarrow needs of it:" "$missed" >&2
        exit 1
    fi
    for library in pyarrow/*.so*; do
        patchelf --remove-needed "libarrow_$1.so.$arrow" "$library"
    done
}
if [ -d pyarrow ]; then
    arrow=$(basename pyarrow/libarrow.so.* | sed 's/.*[.]//')
    # Plans of queries in a format for other engines.
    without_arrow substrait
fi

# zstandard: the second of two backends.
rm -f zstandard/_cffi.*.so

# botocore: descriptions of 400 services of AWS, of which a lake on S3 and its credentials need five.
for service in botocore/data/*/; do
    case $service in
        */s3/ | */sts/ | */sso/ | */sso-oidc/ | */glue/) ;;
        *) rm -rf "$service" ;;
    esac
done

case $program in
    cloud-sync)
        # The Hive metastore's client, which works with thrift (EXTRAS=hive) only, and databases that the
        # catalogue of a lake cannot be in.
        [ -d thrift ] || rm -rf hive_metastore
        rm -rf sqlalchemy/dialects/mssql sqlalchemy/dialects/mysql sqlalchemy/dialects/oracle
        ;;
    gateway)
        # Elements of the console's library that our page does not use, with the large scripts they bring, its
        # scripts for debugging, and what makes styles in the browser (the page switches Tailwind off).
        for element in aggrid codemirror json_editor leaflet mermaid plotly scene xterm; do
            find "nicegui/elements/$element" -mindepth 1 -type d -prune -exec rm -rf {} +
        done
        find nicegui/elements -name 'package*.json' -delete
        # Of the charts, those in three dimensions: a script that the other one loads when it is asked to.
        (cd nicegui/elements/echart/dist &&
            find . -name 'index-*.js' ! -name "$(sed -n 's/.*from"[.][/]\(index-[^"]*\)".*/\1/p' index.js)" -delete)
        # The page has its own words and the system's letters; of the icons one set is used.
        find nicegui/static/lang -type f ! -name 'en-*' -delete
        awk -v RS=} '/Material (Symbols|Icons [A-Z])/' nicegui/static/fonts.css |
            sed -n 's/.*url(\(fonts[^)]*\)).*/nicegui\/static\/\1/p' | xargs rm -f
        (cd nicegui/static && rm -rf sass.dart.js quasar.umd.js quasar.*important.css vue.esm-browser.js \
            tailwindcss.min.js unocss)

        # Translations of Apprise's own command, amqtt's command, documents in reStructuredText, a watcher for
        # development, and number formats that only LiteRT's other interface needs.
        rm -rf apprise/i18n typer rich markdown_it docutils watchfiles ml_dtypes

        # Taken by libraries where they are installed, and never asked for here: HTTP clients, an event loop, a
        # second WebSocket, Pydantic's first version, and what makes graphs.
        rm -rf aiohttp aiosignal aiohappyeyeballs frozenlist httpcore httpx multidict propcache yarl uvloop \
            wsproto simple_websocket pydantic/v1 attr attrs tqdm flatbuffers

        # Random numbers of NumPy's: ours come from Python, with a seed as an argument.
        rm -rf numpy/random

        # Data sets of many files and object stores are cloud_sync's; the journal's batches are in no other format
        # than those of the codecs.
        without_arrow dataset
        rm -f pyarrow/libarrow_s3* pyarrow/_s3fs.* pyarrow/_azurefs.* pyarrow/_gcsfs.* pyarrow/_hdfs.* \
            pyarrow/_orc.* pyarrow/_feather.* pyarrow/_json.*

        # Models run on the CPU: LiteRT through its interpreter (its package loads libLiteRt.so, of the interface for
        # accelerators, only where the file is), ONNX through the one library that Python's module is. What makes
        # and measures graphs stays with the trainer.
        rm -rf ai_edge_litert/libLiteRt.so ai_edge_litert/libLiteRtWebGpuAccelerator.so ai_edge_litert/aot \
            ai_edge_litert/tools ai_edge_litert/vendors ai_edge_litert/_pywrap_litert_converter.so \
            ai_edge_litert/schema_py_generated.py
        rm -rf onnxruntime/capi/libonnxruntime.so* onnxruntime/transformers onnxruntime/quantization \
            onnxruntime/tools onnxruntime/datasets onnxruntime/backend
        ;;
esac

python3 "$here/compiled.py" .
