// What differs from device to device.
#pragma once

#define DEVICE_ID "greenhouse-1"
#define WIFI_SSID "site"
#define WIFI_PASSWORD "change me"
#define NTP_SERVER "pool.ntp.org"
#define BROKER_HOST "gateway.local"
#define BROKER_PORT 8883

// Capacitive soil probe: analogRead in air and in water; measure yours.
#define SOIL_PIN 34
#define SOIL_DRY 3200
#define SOIL_WET 1300

// PEM, as files of the broker's CA and of this device.
static const char CA_PEM[] = R"PEM(
-----BEGIN CERTIFICATE-----
paste the broker's CA here
-----END CERTIFICATE-----
)PEM";
static const char CERT_PEM[] = R"PEM(
-----BEGIN CERTIFICATE-----
paste this device's certificate here
-----END CERTIFICATE-----
)PEM";
static const char KEY_PEM[] = R"PEM(
-----BEGIN EC PRIVATE KEY-----
paste this device's key here
-----END EC PRIVATE KEY-----
)PEM";
