/* The part of MQTT 3.1.1 that a sensor needs, over any stream of bytes: a socket, TLS, a modem.
 *
 * QoS 1 out (the PUBACK is taken and not waited for: only the gateway's ack frees a reading), QoS 1
 * in, clean session, last will, keep-alive. No memory but the caller's: a packet from the broker that
 * is larger than the buffer is read past and dropped.
 */
#ifndef HR_MQTT_H
#define HR_MQTT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    void *context;
    /* Up to length bytes, without waiting: how many came, 0 for none, -1 when the stream is gone. */
    int (*read)(void *context, void *data, size_t length);
    /* All of it, or false when the stream is gone. */
    bool (*write)(void *context, const void *data, size_t length);
} hr_stream;

typedef void (*hr_message_function)(void *context, const char *topic, const void *payload,
                                    size_t length);

typedef enum { HR_MQTT_CONNECTING, HR_MQTT_SUBSCRIBING, HR_MQTT_READY, HR_MQTT_FAILED } hr_mqtt_state;

typedef struct {
    const hr_stream *stream;
    hr_message_function on_message;
    void *message_context;
    const char *topics[2]; /* to subscribe to */
    uint8_t *buffer;
    size_t size, used;
    uint32_t skip;
    uint16_t keepalive_s;
    uint16_t packet_id;
    uint32_t sent_ms, heard_ms;
    hr_mqtt_state state;
} hr_mqtt;

typedef struct {
    const char *client_id, *user, *password; /* user and password may be NULL */
    const char *will_topic, *will;
    uint16_t keepalive_s;
} hr_mqtt_login;

/* The stream is open: say who we are. */
void hr_mqtt_start(hr_mqtt *mqtt, const hr_mqtt_login *login, uint32_t now_ms);

/* Take what has come; subscribes, answers, keeps alive. The state says how it stands. */
hr_mqtt_state hr_mqtt_poll(hr_mqtt *mqtt, uint32_t now_ms);

/* Publish with QoS 1; false when the stream is gone. */
bool hr_mqtt_publish(hr_mqtt *mqtt, const char *topic, const void *payload, size_t length,
                     bool retain, uint32_t now_ms);

#ifdef __cplusplus
}
#endif
#endif
