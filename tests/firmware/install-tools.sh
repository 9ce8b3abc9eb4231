#!/bin/sh
# What make firmware-test needs, from Debian: installed where we may; otherwise said, and the end.
set -eu
PATH=$PATH:/usr/sbin

missing=
need() { # command, packages
    command -v "$1" >/dev/null || missing="$missing $2"
}
need gcc "gcc libc6-dev"
need g++ g++
need openssl openssl
need mosquitto mosquitto
need arm-none-eabi-gcc "gcc-arm-none-eabi libnewlib-arm-none-eabi"
need qemu-system-arm qemu-system-arm

[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing$missing ..."
    apt-get update -qq
    # mosquitto is started by the tests, on free ports; Debian must not start its own.
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
        chmod 755 /usr/sbin/policy-rc.d
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    # shellcheck disable=SC2086
    if DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        $missing >/dev/null; then
        exit 0
    fi
fi
echo "The firmware tests need packages that are not there, and cannot be installed from here:" >&2
echo "    sudo apt install$missing" >&2
exit 2
