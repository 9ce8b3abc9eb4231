/* What to send next, and what may be forgotten: rules without sockets, clocks or chance.
 *
 * A pack goes out when there is room in the window, and again when its ack is overdue or the
 * connection was lost. It leaves by the gateway's ack (on the gateway's disk) or nack (kept in its
 * quarantine), not by the broker's PUBACK. The caller gives the transport, the time and the memory;
 * packs are written anew from the ring for a resend, so one buffer is enough.
 *
 *     hr_uplink_connected(&uplink);                        when subscribed to .../ack and .../nack
 *     hr_uplink_message(&uplink, topic, payload, length);  what has arrived
 *     while (hr_uplink_poll(&uplink, now_ms, &clock)) {}   sends what is due
 *     pause = hr_uplink_disconnected(&uplink, chance);     then connect again after `pause` ms
 */
#ifndef HR_UPLINK_H
#define HR_UPLINK_H

#include "hr_ring.h"
#include "hr_senml.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifndef HR_WINDOW
#define HR_WINDOW 4 /* packs that may be unacknowledged at once */
#endif
#ifndef HR_TOPIC_BYTES
#define HR_TOPIC_BYTES 128
#endif

/* Publish with QoS 1 if there is such a thing; false when the connection is gone. */
typedef bool (*hr_publish_function)(void *context, const char *topic, const void *payload,
                                    size_t length);

typedef struct {
    const char *root;   /* "headrace/v1" */
    const char *device; /* the device's id */
    const char *prefix; /* before each series' name, "" for none */
    hr_format format;
    const hr_series *series;
    uint8_t series_count;
    uint16_t pack_readings; /* at most so many in a pack */
    uint32_t ack_timeout_ms;
    void *buffer; /* for one pack */
    size_t buffer_bytes;
    hr_publish_function publish;
    void *publish_context;
} hr_uplink_config;

/* The device's own time, and what to add for UTC once that is known. */
typedef struct {
    int64_t local_us;
    int64_t offset_us;
    bool synced;
} hr_clock;

typedef struct {
    hr_position at, after;
    uint64_t first;
    char stream[17];
    uint16_t count;
    uint32_t crc;
    uint32_t sent_ms;
    bool due, done;
} hr_flight;

typedef struct {
    const hr_uplink_config *config;
    hr_ring *ring;
    hr_flight flights[HR_WINDOW]; /* in order */
    uint8_t in_flight;
    bool connected;
    uint8_t failures;
    uint32_t refused; /* readings that the gateway keeps in quarantine, and their reason */
    char reason[24];
} hr_uplink;

void hr_uplink_init(hr_uplink *uplink, const hr_uplink_config *config, hr_ring *ring);

void hr_uplink_connected(hr_uplink *uplink);

/* Milliseconds until the next attempt: full jitter, up to a minute. chance is anything random. */
uint32_t hr_uplink_disconnected(hr_uplink *uplink, uint32_t chance);

/* Send at most one pack; true when one was sent. */
bool hr_uplink_poll(hr_uplink *uplink, uint32_t now_ms, const hr_clock *clock);

void hr_uplink_message(hr_uplink *uplink, const char *topic, const void *payload, size_t length);

/* Whether everything is acknowledged. */
bool hr_uplink_idle(hr_uplink *uplink);

/* <root>/<device>/<rest>; returns false when it does not fit into HR_TOPIC_BYTES. */
bool hr_topic(const hr_uplink_config *config, const char *rest, char *topic);

/* The device's state as JSON, for <root>/<device>/state, retained; its length, 0 if it does not fit. */
size_t hr_uplink_state(const hr_uplink *uplink, const hr_clock *clock, char *text, size_t size);

/* The time to keep with a reading. */
void hr_clock_stamp(const hr_clock *clock, hr_row *row);

#ifdef __cplusplus
}
#endif
#endif
