/* A sensor on an ESP32 that loses nothing: readings go into flash first, and are sent until the
 * gateway has them on its disk.
 *
 * Needs: the board package "esp32", the folder firmware_examples/c as the library "Headrace", and a
 * partition scheme with a data partition (the default has one). Settings are in settings.h.
 */
#include <Arduino.h>
#include <WiFi.h>
#include <WiFiClientSecure.h>
#include <esp_partition.h>
#include <esp_random.h>
#include <sys/time.h>

#include <hr_mqtt.h>
#include <hr_uplink.h>

#include "settings.h"

static const uint32_t SAMPLE_MS = 1000, STATE_MS = 30000, SECTOR = 4096;
static const time_t YEAR_2024 = 1704067200;

// What is measured; only ever append to it while readings wait in flash.
static const hr_series series[] = {{"temperature", "Cel", 2}, {"soil", "%RH", 1}};

static const esp_partition_t *partition;
static WiFiClientSecure client;
static hr_storage storage;
static hr_stream stream;
static hr_uplink_config config;
static hr_mqtt_login login;
static hr_ring ring;
static hr_uplink uplink;
static hr_mqtt mqtt;
static hr_clock now_is;
static uint8_t pack_buffer[1024], mqtt_buffer[512];
static char topic_ack[HR_TOPIC_BYTES], topic_nack[HR_TOPIC_BYTES], topic_state[HR_TOPIC_BYTES];
static uint32_t sample_at, connect_at, state_at;

// --- flash: the data partition, raw ------------------------------------------------------------

static bool flash_read(void *, uint32_t sector, uint32_t offset, void *data, size_t length) {
    return esp_partition_read(partition, sector * SECTOR + offset, data, length) == ESP_OK;
}

static bool flash_write(void *, uint32_t sector, uint32_t offset, const void *data, size_t length) {
    return esp_partition_write(partition, sector * SECTOR + offset, data, length) == ESP_OK;
}

static bool flash_erase(void *, uint32_t sector) {
    return esp_partition_erase_range(partition, sector * SECTOR, SECTOR) == ESP_OK;
}

static void flash_random(void *, uint8_t *data, size_t length) {
    esp_fill_random(data, length);
}

// --- network: TLS over Wi-Fi -------------------------------------------------------------------

static int wire_read(void *, void *data, size_t length) {
    int waiting = client.available();
    if (waiting <= 0) {
        return client.connected() ? 0 : -1;
    }
    size_t most = (size_t)waiting < length ? (size_t)waiting : length;
    return client.read((uint8_t *)data, most);
}

static bool wire_write(void *, const void *data, size_t length) {
    return client.write((const uint8_t *)data, length) == length;
}

static bool publish(void *, const char *topic, const void *payload, size_t length) {
    return hr_mqtt_publish(&mqtt, topic, payload, length, false, millis());
}

static void on_message(void *, const char *topic, const void *payload, size_t length) {
    hr_uplink_message(&uplink, topic, payload, length);
}

static void lost(const char *what) {
    uint32_t pause = hr_uplink_disconnected(&uplink, esp_random());
    client.stop();
    connect_at = millis() + pause;
    Serial.printf("no connection: %s; again in %u ms\n", what, (unsigned)pause);
}

static void network() {
    if (!client.connected()) {
        if (uplink.connected) {
            lost("closed by the broker");
            return;
        }
        if (WiFi.status() != WL_CONNECTED || !client.connect(BROKER_HOST, BROKER_PORT)) {
            lost("Wi-Fi or broker does not answer");
            return;
        }
        hr_mqtt_start(&mqtt, &login, millis());
    }
    switch (hr_mqtt_poll(&mqtt, millis())) {
    case HR_MQTT_FAILED:
        lost("MQTT");
        return;
    case HR_MQTT_READY:
        break;
    default:
        return;
    }
    if (!uplink.connected) {
        hr_uplink_connected(&uplink);
    }
    hr_uplink_poll(&uplink, millis(), &now_is);
    if ((int32_t)(millis() - state_at) >= 0) {
        char text[256];
        size_t length = hr_uplink_state(&uplink, &now_is, text, sizeof text);
        hr_mqtt_publish(&mqtt, topic_state, text, length, true, millis());
        state_at = millis() + STATE_MS;
    }
}

// --- time and sensors --------------------------------------------------------------------------

static void tell_time() {
    static uint32_t last;
    uint32_t now = millis(); // wraps every 49 days; the difference does not
    now_is.local_us += (int64_t)(now - last) * 1000;
    last = now;
    timeval utc;
    if (!now_is.synced && gettimeofday(&utc, nullptr) == 0 && utc.tv_sec > YEAR_2024) {
        now_is.offset_us = (int64_t)utc.tv_sec * 1000000 + utc.tv_usec - now_is.local_us;
        now_is.synced = true;
    }
}

static void keep(uint8_t index, int32_t mantissa) {
    hr_row row = {0, mantissa, index, false};
    hr_clock_stamp(&now_is, &row);
    if (!hr_ring_append(&ring, &row)) {
        Serial.println("flash does not take readings");
    }
}

static void sample() {
    keep(0, (int32_t)lroundf(temperatureRead() * 100)); // the chip's own; put your sensor here
    keep(1, (int32_t)map(analogRead(SOIL_PIN), SOIL_DRY, SOIL_WET, 0, 1000));
}

// --- Arduino -----------------------------------------------------------------------------------

static void stop_here(const char *what) {
    Serial.println(what);
    for (;;) {
        delay(1000);
    }
}

static void set_up_library() {
    storage = {nullptr,    SECTOR,      partition->size / SECTOR, flash_read,
               flash_write, flash_erase, flash_random};
    stream = {nullptr, wire_read, wire_write};
    config = {"headrace/v1", DEVICE_ID,   "",                 HR_CBOR, series, 2, 32, 30000,
              pack_buffer,   sizeof pack_buffer, publish, nullptr};
    if (!hr_topic(&config, "ack", topic_ack) || !hr_topic(&config, "nack", topic_nack) ||
        !hr_topic(&config, "state", topic_state)) {
        stop_here("DEVICE_ID is too long: 64 characters at most");
    }
    login = {DEVICE_ID, nullptr, nullptr, topic_state, "{\"online\":false}", 60};
    mqtt.stream = &stream;
    mqtt.on_message = on_message;
    mqtt.topics[0] = topic_ack;
    mqtt.topics[1] = topic_nack;
    mqtt.buffer = mqtt_buffer;
    mqtt.size = sizeof mqtt_buffer;
}

void setup() {
    Serial.begin(115200);
    partition = esp_partition_find_first(ESP_PARTITION_TYPE_DATA,
                                         ESP_PARTITION_SUBTYPE_DATA_SPIFFS, nullptr);
    if (!partition) {
        stop_here("no data partition: choose a partition scheme with SPIFFS");
    }
    set_up_library();
    if (!hr_ring_open(&ring, &storage)) {
        stop_here("flash cannot be used: is the data partition too small?");
    }
    now_is.local_us = ring.newest_local_us;
    hr_uplink_init(&uplink, &config, &ring);
    client.setCACert(CA_PEM);
    client.setCertificate(CERT_PEM);
    client.setPrivateKey(KEY_PEM);
    WiFi.begin(WIFI_SSID, WIFI_PASSWORD);
    configTime(0, 0, NTP_SERVER);
    sample_at = connect_at = state_at = millis();
}

void loop() {
    tell_time();
    if ((int32_t)(millis() - sample_at) >= 0) {
        sample_at += SAMPLE_MS;
        sample();
    }
    if ((int32_t)(millis() - connect_at) >= 0) {
        network();
    }
    delay(5);
}
