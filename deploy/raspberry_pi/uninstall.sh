#!/bin/sh
# Remove the Headrace agent. Buffer and configuration stay, so that nothing that is not handed over yet
# is lost and an install goes on where this one ended; --purge removes them too.
set -eu

purge=no
prefix=
while [ $# -gt 0 ]; do
    case $1 in
        --purge) purge=yes; shift ;;
        --prefix) [ $# -ge 2 ] || { echo "uninstall.sh: --prefix needs a value" >&2; exit 2; }
            prefix=$2; shift 2 ;;
        -h|--help) echo "usage: uninstall.sh [--purge] [--prefix DIR]"; exit 0 ;;
        *) echo "uninstall.sh: unknown option $1; usage: uninstall.sh [--purge] [--prefix DIR]" >&2; exit 2 ;;
    esac
done
if [ -z "$prefix" ] && [ "$(id -u)" != 0 ]; then
    echo "uninstall.sh: it must run as root: sudo $0" >&2
    exit 2
fi

if [ -z "$prefix" ] && [ -d /run/systemd/system ]; then
    systemctl disable --now --quiet edge-agent 2>/dev/null || true
fi
rm -f "$prefix/etc/systemd/system/edge-agent.service" "$prefix/usr/local/bin/edge-agent"
if [ -z "$prefix" ] && [ -d /run/systemd/system ]; then
    systemctl daemon-reload
fi
buffer=$prefix/var/lib/headrace/buffer.db
if [ "$purge" = no ] && [ -f "$buffer" ] && [ -x "$prefix/opt/headrace/bin/edge-agent" ]; then
    "$prefix/opt/headrace/bin/edge-agent" buffer stat "$buffer" || true
fi
rm -rf "$prefix/opt/headrace"
if [ "$purge" = no ]; then
    echo "removed; kept: $prefix/etc/headrace, $prefix/var/lib/headrace (uninstall.sh --purge removes them too)"
    exit 0
fi
rm -rf "$prefix/etc/headrace" "$prefix/var/lib/headrace"
if [ -z "$prefix" ] && id headrace >/dev/null 2>&1; then
    userdel headrace
fi
echo "removed, with configuration and buffer"
