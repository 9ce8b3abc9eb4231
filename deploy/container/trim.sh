#!/bin/sh
# Take out of a virtual environment what the program of this image never loads, and say where our own
# code is. Each entry was found by looking at what a running program maps (/proc/<pid>/maps) and imports;
# `make container-test` runs the programs afterwards, so a file too many is noticed there.
set -eu
venv=$1
program=$2
cd "$venv"/lib/python3*/site-packages

echo /opt/own > own.pth

# sqlite-utils depends on pip for a command that installs plugins. A read-only image installs nothing.
rm -rf pip pip-*.dist-info

# Tests, headers and sources of compiled packages: nobody compiles in the image.
find . -depth -type d \( -name tests -o -name test -o -name testing -o -name test_data \) -path '*/*/*' \
    ! -path './nicegui/*' ! -path './fastapi/*' ! -path './starlette/*' -exec rm -rf {} +
find . -type f \( -name '*.a' -o -name '*.h' -o -name '*.pxd' -o -name '*.pxi' -o -name '*.pyi' -o -name '*.pyx' \) \
    -delete
rm -rf pyarrow/include pyarrow/src pyarrow/includes numpy/f2py numpy/_core/include numpy/_core/_simd.*.so
rm -f ./*.dist-info/RECORD

# Compiled is enough: 40 MB of sources that only a traceback would quote (it still names file and line).
# Three look for sources of their own by name.
python3 - <<'END'
import sys
from pathlib import Path

for source in Path().rglob("*.py"):
    compiled = source.parent / "__pycache__" / f"{source.stem}.{sys.implementation.cache_tag}.pyc"
    if source.parts[0] not in {"apprise", "nanoarrow", "nicegui"} and compiled.exists():
        compiled.rename(source.with_suffix(".pyc"))
        source.unlink()
END

# Symbols that only a debugger reads: 90 MB. NumPy's libraries are left alone, because their wheels
# were patched in a way that strip is known to break.
find . -name '*.so*' -type f ! -path './numpy*' -exec strip --strip-unneeded {} +

# pyarrow: Flight is an RPC server that nothing here has; wheels hold each library of Arrow's Python
# layer three times under the names that symbolic links would have, and only *.so.NNNN is loaded.
rm -f pyarrow/libarrow_flight* pyarrow/libarrow_python_flight* pyarrow/_flight* pyarrow/flight.py*
rm -f pyarrow/libarrow_python*.so pyarrow/libarrow_python*.so.*.*.*

# zstandard: the second of two backends.
rm -f zstandard/_cffi.*.so

# botocore: descriptions of 400 services of AWS, of which a lake on S3 and its credentials need five.
for service in botocore/data/*/; do
    case $service in
        */s3/ | */sts/ | */sso/ | */sso-oidc/ | */glue/) ;;
        *) rm -rf "$service" ;;
    esac
done

[ "$program" = gateway ] || exit 0

# Elements of the console's library that our page does not use, with the large scripts they bring, its
# scripts for debugging, and what makes styles in the browser (the page switches Tailwind off).
for element in aggrid codemirror json_editor leaflet mermaid plotly scene xterm; do
    rm -rf "nicegui/elements/$element"/dist "nicegui/elements/$element"/lib
done
(cd nicegui/static && rm -rf sass.dart.js quasar.umd.js quasar.*important.css vue.esm-browser.js \
    tailwindcss.min.js unocss)

# Colours for 500 programming languages.
find pygments/lexers -type f ! -name '[_]*' ! -name 'python.*' ! -name 'special.*' -delete

# Translations of Apprise's own command, amqtt's command, documents in reStructuredText, a watcher for
# development, and number formats that only LiteRT's other interface needs.
rm -rf apprise/i18n typer rich markdown_it docutils watchfiles ml_dtypes

# Random numbers of NumPy's: ours come from Python, with a seed as an argument.
rm -rf numpy/random

# Data sets of many files, S3 and Substrait are cloud_sync's. Arrow's wheel links each module to all of its
# libraries, although none of those that the gateway loads takes a symbol from these.
for module in dataset dataset_parquet s3fs substrait; do
    rm -f "pyarrow/_$module".*
done
rm -f pyarrow/libarrow_dataset.* pyarrow/libarrow_s3* pyarrow/libarrow_substrait.*
arrow=$(basename pyarrow/libarrow.so.* | sed 's/.*[.]//')
for library in pyarrow/*.so*; do
    for gone in dataset substrait; do
        patchelf --remove-needed "libarrow_$gone.so.$arrow" "$library"
    done
done

# Models run on the CPU: LiteRT through its interpreter (its package loads libLiteRt.so, of the interface for
# accelerators, only where the file is), ONNX through the one library that Python's module is. What makes
# and measures graphs stays with the trainer.
rm -rf ai_edge_litert/libLiteRt.so ai_edge_litert/libLiteRtWebGpuAccelerator.so ai_edge_litert/aot \
    ai_edge_litert/tools ai_edge_litert/vendors ai_edge_litert/_pywrap_litert_converter.so \
    ai_edge_litert/schema_py_generated.pyc
rm -rf onnxruntime/capi/libonnxruntime.so* onnxruntime/transformers onnxruntime/quantization \
    onnxruntime/tools onnxruntime/datasets onnxruntime/backend
