#!/bin/sh
# Install or upgrade the Headrace agent on a Raspberry Pi or another Debian machine.
#
#   sudo deploy/raspberry_pi/install.sh --device greenhouse --gateway 192.168.1.10
#
# What it makes: /opt/headrace (virtual environment), /usr/local/bin/edge-agent, the system user
# headrace, /etc/headrace/agent.toml, /var/lib/headrace (the buffer), edge-agent.service. Running it again
# upgrades the program and leaves agent.toml and the buffer as they are.
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
        --device) device=$2; shift 2 ;;
        --gateway) gateway=$2; shift 2 ;;
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
    # A 64 bit kernel may carry a 32 bit system: what counts is what Python is made for.
    bits=$(python3 -c 'import struct; print(struct.calcsize("P") * 8)' 2>/dev/null || echo 0)
    case $machine/$bits in
        aarch64/64|x86_64/64|*/0) ;;
        *) leave_out "models on the device: there is no inference runtime for 32 bit ($machine); readings,
    buffer and uplink work. For models install the 64 bit Raspberry Pi OS (Pi 3 and newer)."
            case $extras in *agent-inference*) fail "--with-inference needs a 64 bit system, this is $machine, $bits bit" ;; esac ;;
    esac
}

check_python() {
    command -v python3 >/dev/null || install_package python3
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
        || fail "expected Python 3.11 or newer, got $(python3 --version 2>&1)" "Debian 12 and Raspberry Pi OS of 2023 have it"
    python3 -c 'import venv, ensurepip' 2>/dev/null || install_package python3-venv
    say "python: $(python3 --version 2>&1)"
}

install_package() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || fail "$1 is missing" "sudo apt install $1"
    say "installing $1 ..."
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$1" >/dev/null
}

has_systemd() { [ -z "$prefix" ] && [ -d /run/systemd/system ]; }

install_program() {
    bin=$prefix/opt/headrace/bin
    [ -x "$bin/python" ] || python3 -m venv "$prefix/opt/headrace"
    what=$from
    [ -z "$wheel" ] || what=$(CDPATH='' cd -- "$(dirname -- "$wheel")" && pwd)/$(basename -- "$wheel")
    pins=$from/constraints.txt
    say "installing $what ..."
    # The pins are those that the tests ran with; a wheel on its own takes what fits.
    if [ -f "$pins" ]; then
        "$bin/python" -m pip install --quiet --upgrade --constraint "$pins" "$what[$extras]"
    else
        "$bin/python" -m pip install --quiet --upgrade "$what[$extras]"
    fi
    # A wheel of the version that is there already would be left out.
    [ -z "$wheel" ] || "$bin/python" -m pip install --quiet --force-reinstall --no-deps "$what"
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
    "$bin/edge-agent" check-config --config "$config"
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
stop_old
install_program
make_user
make_folders
make_config
install_service
next_steps
