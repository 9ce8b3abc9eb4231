#!/bin/sh
# Take what the gateway has written for mosquitto to where mosquitto reads it, owned by mosquitto: the
# gateway's user is another one, and mosquitto reads key and ACL again after it has given up its rights.
#
#     sync.sh FROM TO
#
# `revision` is written last over there and taken last here: who finds it the same has all of it.
set -eu
from=$1
to=$2
owner=${MOSQUITTO_USER:-mosquitto}

[ -s "$from/revision" ] || { echo "sync.sh: no revision in $from: has the gateway written its files?" >&2; exit 1; }
umask 077
for name in ca.crt broker.crt broker.key crl.pem acl passwords revision; do
    # Passwords are there only where clients have them instead of certificates.
    [ -e "$from/$name" ] || [ "$name" != passwords ] || continue
    cp "$from/$name" "$to/$name.part"
    # The mode first: once it is another's, changing it takes a right that the container has not.
    chmod 0400 "$to/$name.part"
    chown "$owner:$owner" "$to/$name.part"
    mv -f "$to/$name.part" "$to/$name"
done
