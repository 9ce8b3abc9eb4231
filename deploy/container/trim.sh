#!/bin/sh
# Take out of a virtual environment what the program of this image never loads, and say where our own
# code is. Each entry was found by looking at what a running program maps (/proc/<pid>/maps); `make
# container-test` runs the programs afterwards, so a file too many is noticed there.
set -eu
venv=$1
program=$2
cd "$venv"/lib/python3*/site-packages

echo /opt/own > own.pth

# Tests, headers and sources of compiled packages: nobody compiles in the image.
find . -depth -type d \( -name tests -o -name test -o -name testing \) -path '*/*/*' \
    ! -path './nicegui/*' ! -path './fastapi/*' ! -path './starlette/*' -exec rm -rf {} +
find . -type f \( -name '*.a' -o -name '*.pxd' -o -name '*.pyx' -o -name '*.h' -o -name '*.pyi' \) -delete
rm -rf pyarrow/include pyarrow/src pyarrow/includes numpy/f2py numpy/_core/include

# sqlite-utils depends on pip for a command that installs plugins. A read-only image installs nothing.
rm -rf pip pip-*.dist-info

# Symbols that only a debugger reads: 75 MB. NumPy's libraries are left alone, because their wheels
# were patched in a way that strip is known to break.
for package in pyarrow zstandard uvloop aiohttp cryptography ai_edge_litert; do
    [ ! -d "$package" ] || find "$package" -name '*.so*' -exec strip --strip-unneeded {} +
done

# pyarrow: Flight is an RPC server that nothing here has; wheels hold each library of Arrow's Python
# layer three times under the names that symbolic links would have, and only *.so.NNNN is loaded.
rm -f pyarrow/libarrow_flight* pyarrow/libarrow_python_flight* pyarrow/_flight* pyarrow/flight.py
rm -f pyarrow/libarrow_python*.so pyarrow/libarrow_python*.so.*.*.*

[ "$program" = gateway ] || exit 0

# Elements of the console's library that our page does not use, with the large scripts they bring.
for element in aggrid codemirror json_editor mermaid plotly scene; do
    rm -rf "nicegui/elements/$element"/dist "nicegui/elements/$element"/lib
done

# The gateway has no S3 client (cloud_sync has), and runs models on the CPU through the interpreter.
rm -f pyarrow/libarrow_s3* pyarrow/_s3fs*
rm -rf ai_edge_litert/libLiteRtWebGpuAccelerator.so ai_edge_litert/tools ai_edge_litert/vendors \
    ai_edge_litert/_pywrap_litert_converter.so ai_edge_litert/aot
