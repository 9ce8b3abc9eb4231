#!/bin/sh
# Make what a site needs before its first start: .env, config/ from samples/, passwords and keys below
# secrets/. What exists is kept, so it can run again; it prints no secret. Certificates are not made
# here: the gateway is the site's CA, and makes its own at the first start.
#
#     sh deploy/compose/prepare.sh
set -eu
umask 077
cd "$(dirname "$0")"

[ -e .env ] || cp .env.example .env
# shellcheck disable=SC1091
. ./.env

# The folder keeps others of this machine out. The files in it are readable, because compose mounts
# them as they are, and the containers' users are not us.
mkdir -p secrets
chmod 700 secrets

secret() { # file
    [ -e "secrets/$1" ] || od -An -v -tx1 -N24 /dev/urandom | tr -d ' \n' >"secrets/$1"
}

lake_keys() {
    secret lake_access_key
    secret lake_secret_key
    key=$(cat secrets/lake_access_key) word=$(cat secrets/lake_secret_key)
    printf '%s:%s\n' "$key" "$word" >secrets/lake_credential
    printf '{"identities": [{"name": "site", "credentials": [{"accessKey": "%s", "secretKey": "%s"}], "actions": ["Admin", "Read", "Write", "List", "Tagging"]}]}\n' \
        "$key" "$word" >secrets/seaweedfs_s3.json
}

quoted() { # words, as a list in TOML
    printf '"%s", ' "$@" | sed 's/, $//'
}

configuration() { # copies that are the site's own to change, and that an update leaves alone
    mkdir -p config
    chmod 755 config
    # shellcheck disable=SC2086
    names=$(quoted $SITE_NAMES gateway mosquitto)
    first=${SITE_NAMES%% *}
    for name in gateway cloud_sync serve; do
        [ -e "config/$name.toml" ] || sed -e "s/^site = .*/site = \"$SITE\"/" \
            -e "s/^names = .*/names = [$names]/" -e "s/^broker_host = .*/broker_host = \"$first\"/" \
            -e "s/^broker_port = .*/broker_port = $MQTT_PORT/" \
            -e "s/^public_port = .*/public_port = $ENROL_PORT/" "samples/$name.toml" >"config/$name.toml"
    done
    chmod 644 config/*
}

for name in influxdb_admin influxdb_gateway influxdb_grafana grafana_admin serve_tokens; do secret "$name"; done
lake_keys
configuration
chmod 444 secrets/*
echo "ready: configuration is in $(pwd)/config and .env, secrets are in $(pwd)/secrets"
echo "Grafana's user is admin, its password: cat $(pwd)/secrets/grafana_admin"
