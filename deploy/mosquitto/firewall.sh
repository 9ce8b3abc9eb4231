#!/bin/sh
# Keep one address from taking all of mosquitto's connections: at most so many at a time, and so many new
# ones a second. mosquitto itself bounds neither by address, and waits 90 s for who says nothing.
#
#     firewall.sh PORT [CONNECTIONS] [PER_SECOND]      as root, at each boot (iptables; -6 runs it for IPv6)
#
# Limits by address take devices behind one router for one: raise CONNECTIONS there.
set -eu
iptables=iptables
[ "${1:-}" != -6 ] || { iptables=ip6tables; shift; }
port=${1:?usage: firewall.sh [-6] PORT [CONNECTIONS] [PER_SECOND]}
connections=${2:-200}
per_second=${3:-20}
mask=32
[ "$iptables" = iptables ] || mask=64

# A chain of our own, filled anew: running it twice changes nothing.
$iptables -N headrace-mqtt 2>/dev/null || $iptables -F headrace-mqtt
$iptables -C INPUT -p tcp --dport "$port" --syn -j headrace-mqtt 2>/dev/null ||
    $iptables -I INPUT -p tcp --dport "$port" --syn -j headrace-mqtt
$iptables -A headrace-mqtt -p tcp -m connlimit --connlimit-above "$connections" --connlimit-mask "$mask" \
    -j REJECT --reject-with tcp-reset
$iptables -A headrace-mqtt -m hashlimit --hashlimit-name headrace --hashlimit-mode srcip \
    --hashlimit-srcmask "$mask" --hashlimit-above "$per_second/second" --hashlimit-burst "$connections" -j DROP
