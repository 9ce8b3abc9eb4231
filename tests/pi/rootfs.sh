#!/bin/sh
# Make the base of the emulated Pi: an arm64 Debian in a folder of the cache, made once. Prints the folder.
#
# It needs root and a Debian machine: qemu-user-static, debootstrap and binfmt_misc are set up where they
# are missing. The mirror is the one that apt uses here.
set -eu
PATH=$PATH:/usr/sbin:/sbin
release=${PI_RELEASE:-bookworm}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/headrace-pi
base=$cache/base-$release

say() { printf '%s\n' "$*" >&2; }
fail() { printf 'pi-test: %s\n' "$*" >&2; exit 2; }

[ "$(id -u)" = 0 ] || fail "it mounts and changes roots, which takes root: sudo make pi-test"
command -v apt-get >/dev/null || fail "it needs Debian's debootstrap and qemu-user-static; there is no apt-get here"

missing=
command -v qemu-aarch64-static >/dev/null || missing="$missing qemu-user-static"
command -v debootstrap >/dev/null || missing="$missing debootstrap"
command -v mosquitto >/dev/null || missing="$missing mosquitto"
if [ -n "$missing" ]; then
    say "installing$missing ..."
    apt-get update -qq >&2
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null \
        || fail "could not install$missing"
fi

binfmt=/proc/sys/fs/binfmt_misc
if [ "$(uname -m)" != aarch64 ]; then
    [ -e $binfmt/register ] || mount -t binfmt_misc binfmt_misc $binfmt || fail "binfmt_misc cannot be mounted"
    [ -e $binfmt/qemu-aarch64 ] || cat /usr/lib/binfmt.d/qemu-aarch64.conf > $binfmt/register \
        || fail "qemu-aarch64 cannot be registered with binfmt_misc"
fi

if [ ! -d "$base" ]; then
    mirror=$(apt-get indextargets --format '$(CODENAME) $(SITE)' 'Created-By: Packages' \
        | awk '$1 !~ /-/ { print $2; exit }')
    [ -n "$mirror" ] || fail "apt has no mirror configured"
    say "making an arm64 Debian $release in $base (some minutes, once) ..."
    mkdir -p "$cache"
    rm -rf "$base.new"
    debootstrap --arch=arm64 --variant=minbase \
        --include=python3,python3-venv,python3-pip,ca-certificates,systemd \
        "$release" "$base.new" "$mirror" > "$cache/debootstrap.log" 2>&1 \
        || fail "debootstrap failed; see $cache/debootstrap.log"
    mv "$base.new" "$base"
fi
printf '%s\n' "$base"
