#!/bin/sh
# Make the base of the emulated Pi: a Debian in a folder of the cache, made once. Prints the folder.
#
# PI_RELEASE is bookworm (12, Python 3.11) or trixie (13, Python 3.13). PI_ARCH is arm64, armhf (32 bit), or
# amd64, where nothing is emulated and the same is over much sooner.
# It needs root and a Debian machine: qemu-user-static, debootstrap and binfmt_misc are set up where they
# are missing. The mirror is the one that apt uses here.
set -eu
PATH=$PATH:/usr/sbin:/sbin
release=${PI_RELEASE:-bookworm}
arch=${PI_ARCH:-arm64}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/headrace-pi
base=$cache/base-$release-$arch

say() { printf '%s\n' "$*" >&2; }
fail() { printf 'pi-test: %s\n' "$*" >&2; exit 2; }

[ "$(id -u)" = 0 ] || fail "it mounts and changes roots, which takes root: sudo make pi-test"
case $arch in
    arm64) emulator=qemu-aarch64 native=aarch64 ;;
    armhf) emulator=qemu-arm native=armv7l ;;
    amd64) emulator='' native=x86_64 ;;
    *) fail "PI_ARCH: expected arm64, armhf or amd64, got $arch" ;;
esac
case $release in
    bookworm|trixie) ;;
    *) fail "PI_RELEASE: expected bookworm or trixie, got $release" ;;
esac
command -v apt-get >/dev/null || fail "it needs Debian's debootstrap and qemu-user-static; there is no apt-get here"

missing=
[ "$native" != "$(uname -m)" ] || emulator=
[ -n "$emulator" ] || [ "$native" = "$(uname -m)" ] || fail "$arch can only run on an x86-64 machine"
[ -z "$emulator" ] || command -v $emulator-static >/dev/null || missing="$missing qemu-user-static"
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
if [ -n "$emulator" ]; then
    [ -e $binfmt/register ] || mount -t binfmt_misc binfmt_misc $binfmt || fail "binfmt_misc cannot be mounted"
    [ -e $binfmt/$emulator ] || cat /usr/lib/binfmt.d/$emulator.conf > $binfmt/register \
        || fail "$emulator cannot be registered with binfmt_misc"
fi

if [ ! -d "$base" ]; then
    mirror=$(apt-get indextargets --format '$(CODENAME) $(SITE)' 'Created-By: Packages' \
        | awk '$1 !~ /-/ { print $2; exit }')
    [ -n "$mirror" ] || fail "apt has no mirror configured"
    say "making a Debian $release ($arch) in $base (some minutes, once) ..."
    mkdir -p "$cache"
    rm -rf "$base.new"
    debootstrap --arch=$arch --variant=minbase \
        --include=python3,python3-venv,python3-pip,ca-certificates,systemd \
        "$release" "$base.new" "$mirror" > "$cache/debootstrap-$release-$arch.log" 2>&1 \
        || fail "debootstrap failed; see $cache/debootstrap-$release-$arch.log"
    mv "$base.new" "$base"
fi
printf '%s\n' "$base"
