#include "hr_mqtt.h"

#include <string.h>

enum { CONNECT = 0x10, CONNACK = 2, PUBLISH = 3, PUBACK = 0x40, SUBSCRIBE = 0x82, SUBACK = 9 };
enum { PINGREQ = 0xc0, PUBLISH_QOS1 = 0x32, ANSWER_MS = 10000 };

/* --- writing --------------------------------------------------------------------------------- */

static void send(hr_mqtt *mqtt, const void *data, size_t length) {
    if (mqtt->state != HR_MQTT_FAILED &&
        !mqtt->stream->write(mqtt->stream->context, data, length)) {
        mqtt->state = HR_MQTT_FAILED;
    }
}

static void send_head(hr_mqtt *mqtt, uint8_t first, size_t length, uint32_t now_ms) {
    uint8_t head[5] = {first};
    size_t used = 1;
    do {
        head[used] = length & 0x7f;
        length >>= 7;
        head[used++] |= length ? 0x80 : 0;
    } while (length && used < sizeof head);
    send(mqtt, head, used);
    mqtt->sent_ms = now_ms;
}

static void send_number(hr_mqtt *mqtt, uint16_t number) {
    uint8_t bytes[2] = {(uint8_t)(number >> 8), (uint8_t)number};
    send(mqtt, bytes, 2);
}

static void send_text(hr_mqtt *mqtt, const char *text) {
    send_number(mqtt, (uint16_t)strlen(text));
    send(mqtt, text, strlen(text));
}

static uint16_t next_id(hr_mqtt *mqtt) {
    mqtt->packet_id = mqtt->packet_id == UINT16_MAX ? 1 : (uint16_t)(mqtt->packet_id + 1);
    return mqtt->packet_id;
}

void hr_mqtt_start(hr_mqtt *mqtt, const hr_mqtt_login *login, uint32_t now_ms) {
    mqtt->state = HR_MQTT_CONNECTING;
    mqtt->used = mqtt->skip = 0;
    mqtt->heard_ms = now_ms;
    mqtt->keepalive_s = login->keepalive_s;
    bool named = login->user && login->password;
    size_t length = 10 + 2 + strlen(login->client_id) + 2 + strlen(login->will_topic) + 2 +
                    strlen(login->will);
    length += named ? 4 + strlen(login->user) + strlen(login->password) : 0;
    send_head(mqtt, CONNECT, length, now_ms);
    send(mqtt, "\0\4MQTT\4", 7);
    uint8_t flags = 0x2e; /* clean session; a will, QoS 1, retained */
    flags |= named ? 0xc0 : 0;
    send(mqtt, &flags, 1);
    send_number(mqtt, login->keepalive_s);
    send_text(mqtt, login->client_id);
    send_text(mqtt, login->will_topic);
    send_text(mqtt, login->will);
    if (named) {
        send_text(mqtt, login->user);
        send_text(mqtt, login->password);
    }
}

static void subscribe(hr_mqtt *mqtt, uint32_t now_ms) {
    size_t length = 2;
    for (int at = 0; at < 2; at++) {
        length += 3 + strlen(mqtt->topics[at]);
    }
    send_head(mqtt, SUBSCRIBE, length, now_ms);
    send_number(mqtt, next_id(mqtt));
    for (int at = 0; at < 2; at++) {
        send_text(mqtt, mqtt->topics[at]);
        send(mqtt, "\1", 1);
    }
}

bool hr_mqtt_publish(hr_mqtt *mqtt, const char *topic, const void *payload, size_t length,
                     bool retain, uint32_t now_ms) {
    if (mqtt->state != HR_MQTT_READY) {
        return false;
    }
    send_head(mqtt, PUBLISH_QOS1 | (retain ? 1 : 0), 2 + strlen(topic) + 2 + length, now_ms);
    send_text(mqtt, topic);
    send_number(mqtt, next_id(mqtt));
    send(mqtt, payload, length);
    return mqtt->state == HR_MQTT_READY;
}

/* --- reading --------------------------------------------------------------------------------- */

static void on_publish(hr_mqtt *mqtt, uint8_t first, uint8_t *body, size_t length, uint32_t now_ms) {
    if (length < 2) {
        return;
    }
    size_t topic = (size_t)body[0] << 8 | body[1];
    size_t at = 2 + topic;
    size_t head = at + (first & 6 ? 2 : 0);
    if (head > length) {
        return;
    }
    if (first & 6) {
        send_head(mqtt, PUBACK, 2, now_ms);
        send(mqtt, body + at, 2);
    }
    memmove(body, body + 2, topic); /* makes room for the zero behind the topic */
    body[topic] = 0;
    mqtt->on_message(mqtt->message_context, (const char *)body, body + head, length - head);
}

static void on_packet(hr_mqtt *mqtt, uint8_t first, uint8_t *body, size_t length, uint32_t now_ms) {
    int kind = first >> 4;
    if (kind == CONNACK && mqtt->state == HR_MQTT_CONNECTING) {
        mqtt->state = length == 2 && !body[1] ? HR_MQTT_SUBSCRIBING : HR_MQTT_FAILED;
        subscribe(mqtt, now_ms);
    } else if (kind == SUBACK && mqtt->state == HR_MQTT_SUBSCRIBING) {
        bool granted = length == 4 && body[2] != 0x80 && body[3] != 0x80;
        mqtt->state = granted ? HR_MQTT_READY : HR_MQTT_FAILED;
    } else if (kind == PUBLISH) {
        on_publish(mqtt, first, body, length, now_ms);
    } /* PUBACK, PINGRESP: that they came is what counts */
}

static void drop(hr_mqtt *mqtt, size_t bytes) {
    mqtt->used -= bytes;
    memmove(mqtt->buffer, mqtt->buffer + bytes, mqtt->used);
}

/* Handle the packet at the front of the buffer; false when it is not all there. */
static bool take_packet(hr_mqtt *mqtt, uint32_t now_ms) {
    if (mqtt->skip) {
        size_t skipped = mqtt->skip < mqtt->used ? mqtt->skip : mqtt->used;
        drop(mqtt, skipped);
        mqtt->skip -= (uint32_t)skipped;
    }
    size_t length = 0, at = 1;
    uint8_t byte = 0x80;
    for (int shift = 0; byte & 0x80; shift += 7) {
        if (shift > 21) {
            mqtt->state = HR_MQTT_FAILED;
            return false;
        }
        if (at >= mqtt->used) {
            return false;
        }
        byte = mqtt->buffer[at++];
        length |= (size_t)(byte & 0x7f) << shift;
    }
    if (at + length > mqtt->size) {
        mqtt->skip = (uint32_t)(at + length);
        return true;
    }
    if (at + length > mqtt->used) {
        return false;
    }
    on_packet(mqtt, mqtt->buffer[0], mqtt->buffer + at, length, now_ms);
    drop(mqtt, at + length);
    return true;
}

static void keep_alive(hr_mqtt *mqtt, uint32_t now_ms) {
    uint32_t period = mqtt->keepalive_s * (uint32_t)1000;
    uint32_t patience = mqtt->state == HR_MQTT_READY ? period + period / 2 : ANSWER_MS;
    if (now_ms - mqtt->heard_ms > patience) {
        mqtt->state = HR_MQTT_FAILED;
    } else if (mqtt->state == HR_MQTT_READY && now_ms - mqtt->sent_ms > period / 2) {
        send_head(mqtt, PINGREQ, 0, now_ms);
    }
}

hr_mqtt_state hr_mqtt_poll(hr_mqtt *mqtt, uint32_t now_ms) {
    for (;;) {
        while (mqtt->state != HR_MQTT_FAILED && take_packet(mqtt, now_ms)) {
        }
        if (mqtt->state == HR_MQTT_FAILED) {
            return mqtt->state;
        }
        int came = mqtt->stream->read(mqtt->stream->context, mqtt->buffer + mqtt->used,
                                      mqtt->size - mqtt->used);
        if (came < 0) {
            mqtt->state = HR_MQTT_FAILED;
        } else if (came == 0) {
            keep_alive(mqtt, now_ms);
            return mqtt->state;
        } else {
            mqtt->used += (size_t)came;
            mqtt->heard_ms = now_ms;
        }
    }
}
