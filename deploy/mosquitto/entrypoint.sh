#!/bin/sh
# mosquitto in a container beside the gateway's: starts when the gateway has written its files, and is
# told to read them again when they have changed. A signal across containers would need a shared
# process namespace; a shared volume and a look at one small file every half second does not.
set -eu
from=${HEADRACE_FILES:-/exchange}
here=$(dirname "$0")
to=/etc/mosquitto/headrace

until [ -s "$from/revision" ]; do
    echo "waiting for the gateway's files in $from"
    sleep 2
done
chown mosquitto:mosquitto /var/lib/mosquitto
read -r taken <"$from/revision"
sh "$here/sync.sh" "$from" "$to"

mosquitto -c /etc/mosquitto/mosquitto.conf &
broker=$!
trap 'kill -TERM $broker' TERM INT

while kill -0 "$broker" 2>/dev/null; do
    sleep 0.5 &
    # wait, unlike sleep, ends when a signal comes.
    wait $! || true
    read -r now <"$from/revision" || continue
    [ "$now" != "$taken" ] || continue
    # A file that is just being replaced is there at the next look.
    sh "$here/sync.sh" "$from" "$to" || continue
    taken=$now
    kill -HUP "$broker" || true
    echo "the gateway's files have changed; told mosquitto to read them again"
done
wait "$broker"
