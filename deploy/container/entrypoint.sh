#!/bin/sh
# Start one program, after a look at what a container can be given wrongly: no volume, a volume of
# somebody else, no configuration. Readings in a container's own layer would die with the container.
set -eu
program=$1
shift
data=${HEADRACE_DATA:-/var/lib/headrace}

fail() {
    printf 'error: %s\n' "$@" >&2
    exit 2
}

if [ "${1:-}" = run ]; then
    if [ "${HEADRACE_EPHEMERAL:-}" != 1 ] && ! grep -q " $data " /proc/self/mountinfo; then
        fail "no volume at $data: what is kept there would be lost with this container" \
            "mount one: --volume headrace-data:$data" \
            "or accept the loss in writing: --env HEADRACE_EPHEMERAL=1"
    fi
    if ! [ -w "$data" ]; then
        fail "the volume at $data cannot be written by user $(id -u)" \
            "give it that owner (chown $(id -u):$(id -g) on the host), or mount it without :ro"
    fi
fi
exec "$program" "$@"
