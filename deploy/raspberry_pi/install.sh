#!/bin/sh
# Install or upgrade the Headrace agent on a Raspberry Pi or another Debian machine.
#
#   sudo deploy/raspberry_pi/install.sh --device greenhouse --gateway 192.168.1.10
#
# What it makes: /opt/headrace (virtual environment), /usr/local/bin/edge-agent, the system user
# headrace, /etc/headrace/agent.toml, /var/lib/headrace (the buffer), edge-agent.service. Running it again
# upgrades the program and leaves agent.toml and the buffer as they are. Everything is fetched before the
# old agent is stopped; where that breaks off, the old one goes on, and the next run takes up what was fetched.
set -eu

usage() {
    cat <<'USAGE'
usage: install.sh [options]
  --device NAME        the device's name in topics and tables; default: this machine's host name
  --gateway HOST[:PORT]  where the broker is; default: 127.0.0.1
  --from DIR           install from this clone; default: the one that this script is in
  --wheel FILE         install this wheel instead
  --with-inference     also what runs models on the device (64 bit only, 100 MB more)
  --no-start           do not enable and start the service
  --prefix DIR         put everything below DIR, without user and service (for tests)
  -h, --help           show this
USAGE
}

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
device=$(hostname 2>/dev/null || cat /etc/hostname)
gateway=127.0.0.1
port=
from=$(CDPATH='' cd -- "$here/../.." && pwd)
wheel=
prefix=
start=yes
extras=agent,modbus
left_out=
device_given=
gateway_given=

# What the general package index has no wheels of for 32 bit ARM.
NOT_FOR_32_BIT=nanoarrow,msgspec,zstandard,psutil,cffi
# Room for the program and, while it is put in place, for what was fetched: measured, and half as much again.
NEED_MB=250
NEED_INFERENCE_MB=200
NEED_COMPILER_MB=600

say() { printf '%s\n' "$*"; }
fail() {
    printf 'install.sh: %s\n' "$1" >&2
    [ $# -lt 2 ] || printf '  %s\n' "$2" >&2
    exit "${3:-2}"
}
leave_out() {
    left_out="$left_out
  - $*"
}

while [ $# -gt 0 ]; do
    case $1 in
        --device|--gateway|--from|--wheel|--prefix)
            [ $# -ge 2 ] || fail "$1 needs a value" "see --help" ;;
    esac
    case $1 in
        --device) device=$2 device_given=yes; shift 2 ;;
        --gateway) gateway=$2 gateway_given=yes; shift 2 ;;
        --from) from=$2; shift 2 ;;
        --wheel) wheel=$2; shift 2 ;;
        --prefix) prefix=$2; shift 2 ;;
        --with-inference) extras=$extras,agent-inference; shift ;;
        --no-start) start=no; shift ;;
        -h|--help) usage; exit 0 ;;
        *) usage >&2; fail "unknown option $1" ;;
    esac
done
case $gateway in *:*) port=${gateway##*:}; gateway=${gateway%:*} ;; esac

check_arguments() {
    printf '%s' "$device" | grep -Eqx '[A-Za-z0-9][A-Za-z0-9._-]{0,63}' \
        || fail "device '$device': expected letters, digits, dot, dash, underscore, at most 64" "--device NAME"
    [ -n "$prefix" ] || [ "$(id -u)" = 0 ] || fail "it must run as root" "sudo $0 ..."
    if [ -n "$wheel" ]; then
        [ -f "$wheel" ] || fail "no wheel at $wheel"
    else
        [ -f "$from/pyproject.toml" ] || fail "no clone of Headrace at $from" "name one with --from, or a wheel with --wheel"
    fi
}

check_system() {
    ID=unknown ID_LIKE='' VERSION_ID='' PRETTY_NAME=unknown
    # shellcheck disable=SC1091
    [ ! -r /etc/os-release ] || . /etc/os-release
    machine=$(uname -m)
    say "system: $PRETTY_NAME, $machine"
    case "$ID $ID_LIKE" in
        *debian*|*raspbian*) ;;
        *) fail "expected Raspberry Pi OS or Debian, got $PRETTY_NAME" \
            "by hand: python3 -m venv, pip install headrace[agent], deploy/systemd/edge-agent.service" ;;
    esac
    case ${VERSION_ID%%.*} in
        12|13) ;;
        ''|*[!0-9]*) say "note: tried on Debian 12 and 13, this one does not say which it is" ;;
        *) [ "${VERSION_ID%%.*}" -gt 13 ] || fail "expected Debian 12 or newer, got $VERSION_ID" "Python 3.11 is needed; upgrade the system"
            say "note: tried on Debian 12 and 13, this is $VERSION_ID" ;;
    esac
}

check_python() {
    command -v python3 >/dev/null || install_package python3
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
        || fail "expected Python 3.11 or newer, got $(python3 --version 2>&1)" "Debian 12 and Raspberry Pi OS of 2023 have it"
    python3 -c 'import venv, ensurepip' 2>/dev/null || install_package python3-venv
    say "python: $(python3 --version 2>&1)"
}

check_bits() {
    # A 64 bit kernel may carry a 32 bit system: what counts is what Python is made for.
    bits=$(python3 -c 'import struct; print(struct.calcsize("P") * 8)')
    [ "$bits" = 32 ] || return 0
    case $machine in x86_64|i?86) fail "expected a 64 bit system or 32 bit ARM, got 32 bit x86" \
        "cryptography has no ready-made version for it any more; install the 64 bit Debian" ;; esac
    case $extras in *agent-inference*) fail "--with-inference needs a 64 bit system, this is $machine, $bits bit" \
        "the 64 bit Raspberry Pi OS runs on a Pi 3, a Zero 2 W and newer" ;; esac
    leave_out "models on the device: there is no inference runtime for 32 bit ($machine). Inputs, buffer, enrolment
    and uplink are all there. For models install the 64 bit Raspberry Pi OS (Pi 3, Zero 2 W and newer)."
}

# Where the program goes must be writable and have room, or the card fills up in the middle.
check_room() {
    mkdir -p "$prefix/opt/headrace" && touch "$prefix/opt/headrace/.writable" \
        || fail "$prefix/opt/headrace cannot be written" "a read-only card? raspi-config turns the overlay off; mount -o remount,rw /"
    rm -f "$prefix/opt/headrace/.writable"
    need=$NEED_MB
    case $extras in *agent-inference*) need=$((need + NEED_INFERENCE_MB)) ;; esac
    [ "$bits" = 64 ] || need=$((need + NEED_COMPILER_MB))
    free=$(($(df -Pk "$prefix/opt/headrace" | awk 'NR == 2 { print $4 }') / 1024))
    [ "$free" -ge "$need" ] || {
        rmdir "$prefix/opt/headrace" 2>/dev/null || true
        fail "expected $need MB of room for $prefix/opt/headrace, got $free MB" "free some (sudo apt clean), or take a larger card"
    }
}

install_package() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || fail "$* is missing" "sudo apt install $*"
    say "installing $* ..."
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null \
        || fail "could not install $*" "look at the network, then run it again: it goes on where it ended" 1
}

has_systemd() { [ -z "$prefix" ] && [ -d /run/systemd/system ]; }

# Everything that is needed as wheels in a folder, while an agent that is there goes on.
fetch_program() {
    bin=$prefix/opt/headrace/bin
    wheels=$prefix/opt/headrace/wheels
    # An environment without pip was broken off, or is from the Python before an upgrade of Debian.
    "$bin/python" -m pip --version >/dev/null 2>&1 || python3 -m venv --clear "$prefix/opt/headrace"
    what=$from
    [ -z "$wheel" ] || what=$(CDPATH='' cd -- "$(dirname -- "$wheel")" && pwd)/$(basename -- "$wheel")
    say "fetching what $what needs ..."
    if [ "$bits" = 64 ]; then
        pip_wheel || not_fetched
        return
    fi
    # The index of Raspberry Pi OS may have ready-made packages for 32 bit; the general one has not.
    pip_wheel --only-binary "$NOT_FOR_32_BIT,cryptography" 2>/dev/null || build_for_32_bit
}

pip_wheel() {
    # The pins are those that the tests ran with; a wheel on its own takes what fits.
    pins=$from/constraints.txt
    [ ! -f "$pins" ] || set -- --constraint "$pins" "$@"
    rm -f "$wheels"/headrace-*.whl
    # What one run has built or fetched, the next one finds; /tmp may be memory, which is scarce here.
    mkdir -p "$prefix/var/tmp"
    TMPDIR=$prefix/var/tmp "$bin/python" -m pip wheel --quiet --disable-pip-version-check \
        --find-links "$wheels" --wheel-dir "$wheels" "$@" "$what[$extras]"
}

not_fetched() {
    fail "not everything could be fetched; nothing is changed$(old_runs)" \
        "look at the network and what pip says above, then run it again: it goes on where it ended" 1
}

build_for_32_bit() {
    [ "$machine" != armv6l ] || fail "some packages have no ready-made version for $machine, and cryptography cannot be built there" \
        "use the package index that Raspberry Pi OS sets in /etc/pip.conf, a Pi 2 or newer, or firmware_examples/ for small boards"
    say "building $NOT_FOR_32_BIT here: for 32 bit there are no ready-made ones (some minutes, once) ..."
    missing=
    command -v cc >/dev/null || missing=build-essential
    [ -e "$(python3 -c 'import sysconfig; print(sysconfig.get_paths()["include"])')/Python.h" ] || missing="$missing python3-dev"
    [ -e /usr/include/ffi.h ] || [ -e "/usr/include/$(cc -dumpmachine 2>/dev/null)/ffi.h" ] || missing="$missing libffi-dev"
    # shellcheck disable=SC2086
    [ -z "$missing" ] || install_package $missing
    pip_wheel --only-binary cryptography || not_fetched
}

old_runs() {
    ! has_systemd || ! systemctl is-active --quiet edge-agent || printf ', and the agent that was there goes on'
}

install_program() {
    pip="$bin/python -m pip install --quiet --disable-pip-version-check --no-index --find-links $wheels"
    ours=$(echo "$wheels"/headrace-*.whl)
    $pip --upgrade "$ours[$extras]" && $pip --force-reinstall --no-deps "$ours" \
        || fail "the program could not be put in place" "see what pip says above, then run it again: everything is fetched" 1
    rm -rf "$wheels"
    mkdir -p "$prefix/usr/local/bin"
    ln -sfn "$bin/edge-agent" "$prefix/usr/local/bin/edge-agent"
    say "program: $("$bin/edge-agent" --version)"
}

make_user() {
    if [ -n "$prefix" ]; then
        leave_out "the system user headrace (--prefix)"
        return
    fi
    id headrace >/dev/null 2>&1 \
        || useradd --system --user-group --home-dir /var/lib/headrace --no-create-home --shell /usr/sbin/nologin headrace
    # What serial ports, I2C and SPI belong to, where there are such groups.
    for group in dialout i2c spi gpio; do
        ! getent group $group >/dev/null || usermod --append --groups $group headrace
    done
}

make_folders() {
    mkdir -p "$prefix/etc/headrace" "$prefix/var/lib/headrace"
    chmod 750 "$prefix/etc/headrace" "$prefix/var/lib/headrace"
    [ -n "$prefix" ] || chown headrace:headrace /etc/headrace /var/lib/headrace
}

make_config() {
    config=$prefix/etc/headrace/agent.toml
    if [ -e "$config" ]; then
        say "config: $config is there and stays as it is"
        [ -z "$device_given" ] || ours_is device "$device"
        [ -z "$gateway_given" ] || ours_is uplink.host "$gateway"
    else
        write_config > "$config.new"
        mv "$config.new" "$config"
        say "config: $config is new"
        say ""
        say "found to measure:"
        sed -n 's/^#   /  /p' "$config"
        say ""
    fi
    chmod 640 "$config"
    [ -n "$prefix" ] || chown headrace:headrace "$config"
    "$bin/edge-agent" check-config --config "$config" \
        || fail "$config has the faults above, so the agent is not started" "mend them and run this again; what is in the buffer stays"
}

# An option that a config of before overrules is said, not swallowed.
ours_is() {
    found=$("$bin/python" - "$config" "$1" <<'PYTHON'
import sys, tomllib
value = tomllib.load(open(sys.argv[1], "rb"))
for key in sys.argv[2].split("."):
    value = value.get(key, {})
print(value or "not set")
PYTHON
    ) || return 0
    [ "$found" = "$2" ] || say "note: $1 stays '$found', not '$2'; to change it edit $config, then: systemctl restart edge-agent"
}

write_config() {
    cat <<HEAD
# The Headrace agent of this device; edge-agent sample-config shows every key.
device = "$device"

[buffer]
path = "$prefix/var/lib/headrace/buffer.db"

[uplink]
host = "$gateway"
${port:+port = $port
}
HEAD
    inputs=$("$bin/edge-agent" discover --toml)
    case $inputs in
        *'[[inputs]]'*) printf '%s\n' "$inputs" ;;
        *) printf '[[inputs]]\nplugin = "host"\n' ;;
    esac
}

install_service() {
    unit=$prefix/etc/systemd/system/edge-agent.service
    mkdir -p "$(dirname -- "$unit")"
    sed "s|/opt/headrace/|$prefix/opt/headrace/|; s|/etc/headrace/|$prefix/etc/headrace/|; s|=/var/lib/headrace|=$prefix/var/lib/headrace|" \
        "$here/../systemd/edge-agent.service" > "$unit"
    chmod 644 "$unit"
    if ! has_systemd; then
        leave_out "starting: systemd does not run here. The unit is in $unit; without it, as user headrace:
    $bin/edge-agent run --config $config"
        return
    fi
    systemctl daemon-reload
    if [ "$start" = no ]; then
        leave_out "starting (--no-start): systemctl enable --now edge-agent"
        return
    fi
    systemctl enable --quiet edge-agent
    systemctl restart edge-agent || fail "the service does not start" "journalctl -u edge-agent -n 30" 1
    say "service: edge-agent runs; journalctl -u edge-agent -f shows what it says"
}

stop_old() {
    # New files under a running program would be a mixture of both.
    ! has_systemd || ! systemctl is-active --quiet edge-agent || systemctl stop edge-agent
}

next_steps() {
    [ -z "$left_out" ] || say "left out:$left_out"
    case $gateway in
        127.*|localhost) ;;
        *) grep -q '^cert *=' "$config" || say "next: a certificate for this device. On the gateway: gateway enroll $device; then here:
  sudo -u headrace edge-agent enroll https://$gateway:8443 CODE --write-config $config
  sudo systemctl restart edge-agent" ;;
    esac
    say "buffer: edge-agent buffer stat $prefix/var/lib/headrace/buffer.db"
}

check_arguments
check_system
check_python
check_bits
check_room
fetch_program
stop_old
install_program
make_user
make_folders
make_config
install_service
next_steps
