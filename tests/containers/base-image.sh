#!/bin/sh
# A Debian 12 base image without a registry: debootstrap from the mirror that this machine's own apt
# uses, made as small as the public slim images are, imported by the name given. Run as root.
set -eu
PATH=$PATH:/usr/sbin:/sbin
work=$1
image=$2
arch=${3:-$(dpkg --print-architecture)}

if podman image exists "$image"; then
    exit 0
fi
mirror=$(cat /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null |
    sed -n -e 's/^URIs: *\([^ ]*\).*/\1/p' -e 's/^deb  *\(\[[^]]*\]  *\)\{0,1\}\([^ ]*\).*/\2/p' | head -n 1)
if [ -z "$mirror" ]; then
    echo "base-image.sh: apt on this machine names no Debian mirror; add one to /etc/apt/sources.list" >&2
    exit 1
fi
root=$work/base-$arch
rm -rf "$root"
debootstrap --arch="$arch" --variant=minbase --include=ca-certificates bookworm "$root" "$mirror" \
    >"$work/debootstrap-$arch.log"
# A mirror or index behind a proxy of the machine's own: whom the machine trusts, the build trusts.
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
printf '[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n' >"$root/etc/pip.conf"
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/cache/apt/*.bin "$root"/var/lib/apt/lists/* \
    "$root"/usr/share/doc/* "$root"/usr/share/man/* "$root"/usr/share/info/* "$root"/usr/share/locale/* \
    "$root"/var/log/*.log "$root"/var/log/apt/*
tar -C "$root" -cf - . | podman import --arch "$arch" --change 'CMD ["sh"]' - "$image" >/dev/null
rm -rf "$root"
