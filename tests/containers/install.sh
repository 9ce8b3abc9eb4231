#!/bin/sh
# What `make container-test` needs besides Python: installed where we may, otherwise named.
set -eu
PATH=$PATH:/usr/sbin:/sbin

missing=
need() { command -v "$1" >/dev/null || missing="$missing $2"; }
need podman podman
need buildah buildah
need runc runc
need debootstrap debootstrap
need iptables iptables
case " ${HEADRACE_CONTAINER_ARCH:-} " in
    *" arm64 "*) [ "$(uname -m)" = aarch64 ] || emulated=aarch64 ;;
esac
[ -z "${emulated:-}" ] || need "qemu-$emulated-static" qemu-user-static
[ -x /usr/lib/podman/netavark ] || missing="$missing netavark aardvark-dns"

if [ "$(id -u)" != 0 ]; then
    echo "container-test makes a Debian base with debootstrap and runs containers: call it as root" >&2
    [ -z "$missing" ] || echo "it also needs: apt install$missing" >&2
    exit 1
fi
if [ -n "$missing" ]; then
    if ! command -v apt-get >/dev/null; then
        echo "container-test needs, and there is no apt-get to install it with:$missing" >&2
        exit 1
    fi
    echo "installing$missing ..."
    apt-get update -qq
    # shellcheck disable=SC2086
    if ! DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null; then
        echo "container-test needs, and apt could not install:$missing" >&2
        exit 1
    fi
fi

# Without systemd nobody has told the kernel who runs programs of the other architecture.
binfmt=/proc/sys/fs/binfmt_misc
if [ -n "${emulated:-}" ] && [ ! -e "$binfmt/qemu-$emulated" ]; then
    [ -e $binfmt/register ] || mount -t binfmt_misc binfmt_misc $binfmt
    cat "/usr/lib/binfmt.d/qemu-$emulated.conf" >$binfmt/register
fi
