#!/bin/sh
# Make what a site needs before its first start: .env, config/ from samples/, the site's CA and
# certificates, passwords and keys below secrets/. What exists is kept, so it can run again; it prints no secret.
#
#     sh deploy/compose/prepare.sh                  # the site, and the two demo pumps
#     sh deploy/compose/prepare.sh device NAME      # a certificate for one more device
set -eu
umask 077
cd "$(dirname "$0")"

command -v openssl >/dev/null || { echo "prepare.sh needs openssl: sudo apt install openssl" >&2; exit 1; }

[ -e .env ] || cp .env.example .env
# shellcheck disable=SC1091
. ./.env

# The folder keeps others of this machine out. The files in it are readable, because compose mounts
# them as they are, and the containers' users are not us.
mkdir -p secrets private
chmod 700 secrets private

days=3650
ca() {
    if [ ! -e private/site_ca.key ]; then
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days "$days" \
            -keyout private/site_ca.key -out secrets/site_ca.crt -subj "/CN=headrace $SITE" \
            -addext "basicConstraints=critical,CA:TRUE,pathlen:0" \
            -addext "keyUsage=critical,keyCertSign,cRLSign" 2>/dev/null
    fi
}

certificate() { # name, extension lines
    [ ! -e "secrets/$1.crt" ] || return 0
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
        -keyout "secrets/$1.key" -out "private/$1.csr" -subj "/CN=$1" 2>/dev/null
    printf '%s\n' "$2" >"private/$1.ext"
    openssl x509 -req -in "private/$1.csr" -CA secrets/site_ca.crt -CAkey private/site_ca.key \
        -CAcreateserial -CAserial private/site_ca.srl -days "$days" -out "secrets/$1.crt" \
        -extfile "private/$1.ext" 2>/dev/null
    rm "private/$1.csr" "private/$1.ext"
}

client() {
    certificate "$1" "extendedKeyUsage=clientAuth"
}

names() { # the broker's names as openssl writes them
    for name in mosquitto $MQTT_NAMES; do
        case $name in
            *:*) printf 'IP:%s,' "$name" ;;
            *[!0-9.]*) printf 'DNS:%s,' "$name" ;;
            *) printf 'IP:%s,' "$name" ;;
        esac
    done | sed 's/,$//'
}

secret() { # file
    [ -e "secrets/$1" ] || openssl rand -hex 24 >"secrets/$1"
}

lake_keys() {
    secret lake_access_key
    secret lake_secret_key
    key=$(cat secrets/lake_access_key) word=$(cat secrets/lake_secret_key)
    printf '%s:%s\n' "$key" "$word" >secrets/lake_credential
    printf '{"identities": [{"name": "site", "credentials": [{"accessKey": "%s", "secretKey": "%s"}], "actions": ["Admin", "Read", "Write", "List", "Tagging"]}]}\n' \
        "$key" "$word" >secrets/seaweedfs_s3.json
}

configuration() { # copies that are the site's own to change, and that an update leaves alone
    mkdir -p config
    chmod 755 config
    for name in gateway cloud_sync; do
        [ -e "config/$name.toml" ] || sed "s/^site = .*/site = \"$SITE\"/" "samples/$name.toml" >"config/$name.toml"
    done
    chmod 644 config/*
}

ca
case ${1:-site} in
    site)
        certificate mosquitto "$(printf 'extendedKeyUsage=serverAuth\nsubjectAltName=%s' "$(names)")"
        for name in gateway health pump-1 pump-2; do client "$name"; done
        for name in influxdb_admin influxdb_gateway influxdb_grafana grafana_admin; do secret "$name"; done
        lake_keys
        configuration
        chmod 444 secrets/*
        echo "ready: configuration is in $(pwd)/config and .env"
        echo "certificates and secrets are in $(pwd)/secrets, the CA's key in $(pwd)/private"
        echo "Grafana's user is admin, its password: cat $(pwd)/secrets/grafana_admin"
        ;;
    device)
        case ${2:-} in
            "" | *[!A-Za-z0-9._-]* | [._-]*) echo "usage: prepare.sh device NAME (letters, digits, '.', '_', '-')" >&2; exit 2 ;;
            gateway | health | mosquitto | site_ca) echo "the name $2 is the site's own; take another" >&2; exit 2 ;;
        esac
        client "$2"
        chmod 444 secrets/*
        echo "for the device: $(pwd)/secrets/site_ca.crt, $2.crt and $2.key beside it (keep the key secret)"
        ;;
    *)
        echo "usage: prepare.sh [device NAME]" >&2
        exit 2
        ;;
esac
