#include "hr_uplink.h"

#include <string.h>

#include "hr_bytes.h"
#include "hr_document.h"

enum { PAUSE_FIRST_MS = 500, PAUSE_MAX_MS = 60000 };

void hr_uplink_init(hr_uplink *uplink, const hr_uplink_config *config, hr_ring *ring) {
    memset(uplink, 0, sizeof *uplink);
    uplink->config = config;
    uplink->ring = ring;
}

void hr_clock_stamp(const hr_clock *clock, hr_row *row) {
    row->synced = clock->synced;
    row->time_us = clock->local_us + (clock->synced ? clock->offset_us : 0);
}

/* A kept time as it travels now; returns whether it is absolute. */
static bool sent_time(const hr_clock *clock, const hr_row *row, int64_t *time_us) {
    *time_us = row->time_us;
    if (row->synced) {
        return true;
    }
    if (clock->synced) {
        *time_us += clock->offset_us;
        return true;
    }
    *time_us -= clock->local_us;
    if (*time_us > 0) {
        *time_us = 0;
    }
    return false;
}

/* --- text ------------------------------------------------------------------------------------ */

typedef struct {
    char *text;
    size_t size, used;
} writer;

static void put(writer *to, const char *text) {
    for (; *text && to->used < to->size; text++) {
        to->text[to->used++] = *text;
    }
}

static void put_number(writer *to, uint64_t number) {
    char digits[21];
    int at = sizeof digits - 1;
    digits[at] = 0;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    put(to, digits + at);
}

/* Ends the text with a zero; its length, 0 when it did not fit. */
static size_t put_end(writer *to) {
    if (to->used >= to->size) {
        return 0;
    }
    to->text[to->used] = 0;
    return to->used;
}

bool hr_topic(const hr_uplink_config *config, const char *rest, char *topic) {
    writer to = {topic, HR_TOPIC_BYTES, 0};
    put(&to, config->root);
    put(&to, "/");
    put(&to, config->device);
    put(&to, "/");
    put(&to, rest);
    return put_end(&to) != 0;
}

size_t hr_uplink_state(const hr_uplink *uplink, const hr_clock *clock, char *text, size_t size) {
    char stream[17];
    hr_ring_stream(uplink->ring, stream);
    writer to = {text, size, 0};
    put(&to, "{\"online\":true,\"version\":\"c-1\",\"clock\":\"");
    put(&to, clock->synced ? "synced" : "unsynced");
    put(&to, "\",\"stream\":\"");
    put(&to, stream);
    put(&to, "\",\"buffered\":");
    put_number(&to, uplink->ring->waiting);
    put(&to, ",\"sampled\":");
    put_number(&to, uplink->ring->next_seq - 1);
    put(&to, ",\"dropped\":{\"full\":");
    put_number(&to, uplink->ring->dropped);
    put(&to, ",\"flash\":");
    put_number(&to, uplink->ring->failed);
    put(&to, ",\"refused\":");
    put_number(&to, uplink->refused);
    put(&to, "}}");
    return put_end(&to);
}

/* --- flights --------------------------------------------------------------------------------- */

static void remove_flight(hr_uplink *uplink, int at) {
    uplink->in_flight--;
    memmove(&uplink->flights[at], &uplink->flights[at + 1],
            (size_t)(uplink->in_flight - at) * sizeof uplink->flights[0]);
}

/* Release what is answered from the oldest on; forget flights that a full ring gave up. */
static void settle(hr_uplink *uplink) {
    while (uplink->in_flight) {
        hr_flight *oldest = &uplink->flights[0];
        if (hr_position_before(oldest->at, uplink->ring->tail)) {
            remove_flight(uplink, 0);
        } else if (oldest->done) {
            hr_ring_release(uplink->ring, oldest->after, oldest->count);
            remove_flight(uplink, 0);
        } else {
            return;
        }
    }
}

static size_t write_pack(hr_uplink *uplink, hr_flight *flight, const hr_clock *clock) {
    const hr_uplink_config *config = uplink->config;
    uint32_t most = flight->count ? flight->count : config->pack_readings;
    hr_pack pack;
    hr_row row;
    bool absolute = false;
    hr_pack_begin(&pack, config->format, config->buffer, config->buffer_bytes, config->prefix,
                  flight->stream, flight->first);
    flight->after = flight->at;
    while (pack.count < most && hr_ring_get(uplink->ring, flight->after, &row)) {
        int64_t time_us;
        bool is_absolute = sent_time(clock, &row, &time_us);
        if (row.series >= config->series_count || (pack.count && is_absolute != absolute)) {
            break;
        }
        absolute = is_absolute;
        if (!hr_pack_add(&pack, &config->series[row.series], absolute, time_us, row.mantissa)) {
            break;
        }
        flight->after.index++;
    }
    flight->count = (uint16_t)pack.count;
    return hr_pack_end(&pack);
}

static bool send(hr_uplink *uplink, hr_flight *flight, uint32_t now_ms, const hr_clock *clock) {
    const hr_uplink_config *config = uplink->config;
    char topic[HR_TOPIC_BYTES];
    char rest[24] = "data/";
    size_t length = write_pack(uplink, flight, clock);
    if (!length) { /* a series that there is no more, or flash that does not give back: skip one */
        flight->after.index = flight->at.index + 1;
        flight->count = 1;
        flight->done = true;
        uplink->ring->failed++;
        return true;
    }
    strcat(rest, hr_format_name(config->format));
    flight->crc = hr_crc32(config->buffer, length);
    flight->sent_ms = now_ms;
    flight->due = false;
    return hr_topic(config, rest, topic) &&
           config->publish(config->publish_context, topic, config->buffer, length);
}

bool hr_uplink_poll(hr_uplink *uplink, uint32_t now_ms, const hr_clock *clock) {
    if (!uplink->connected) {
        return false;
    }
    settle(uplink);
    for (int at = 0; at < uplink->in_flight; at++) {
        hr_flight *flight = &uplink->flights[at];
        bool overdue = now_ms - flight->sent_ms >= uplink->config->ack_timeout_ms;
        if (!flight->done && (flight->due || overdue)) {
            return send(uplink, flight, now_ms, clock);
        }
    }
    if (uplink->in_flight >= HR_WINDOW) {
        return false;
    }
    hr_flight next;
    memset(&next, 0, sizeof next);
    next.at = uplink->in_flight ? uplink->flights[uplink->in_flight - 1].after : uplink->ring->tail;
    if (!hr_ring_seek(uplink->ring, &next.at, &next.first, next.stream)) {
        return false;
    }
    uplink->flights[uplink->in_flight++] = next;
    return send(uplink, &uplink->flights[uplink->in_flight - 1], now_ms, clock);
}

bool hr_uplink_idle(hr_uplink *uplink) {
    hr_position at = uplink->ring->tail;
    uint64_t seq;
    char stream[17];
    settle(uplink);
    return !hr_ring_seek(uplink->ring, &at, &seq, stream);
}

/* --- what the caller tells ------------------------------------------------------------------- */

void hr_uplink_connected(hr_uplink *uplink) {
    uplink->connected = true;
    for (int at = 0; at < uplink->in_flight; at++) {
        uplink->flights[at].due = true;
    }
}

uint32_t hr_uplink_disconnected(hr_uplink *uplink, uint32_t chance) {
    uint32_t longest = (uint32_t)PAUSE_FIRST_MS << uplink->failures;
    uplink->connected = false;
    if (uplink->failures < 7) {
        uplink->failures++;
    }
    return chance % (longest < PAUSE_MAX_MS ? longest : PAUSE_MAX_MS);
}

static void on_range(void *context, const char *stream, uint64_t first, uint64_t last) {
    hr_uplink *uplink = context;
    for (int at = 0; at < uplink->in_flight; at++) {
        hr_flight *flight = &uplink->flights[at];
        bool whole = first <= flight->first && flight->first + flight->count - 1 <= last;
        if (whole && strcmp(stream, flight->stream) == 0) {
            flight->done = true;
            uplink->failures = 0;
        }
    }
}

static void on_nack(hr_uplink *uplink, const void *payload, size_t length) {
    uint32_t crc;
    char reason[sizeof uplink->reason];
    if (!hr_read_nack(payload, length, &crc, reason, sizeof reason)) {
        return;
    }
    for (int at = 0; at < uplink->in_flight; at++) {
        hr_flight *flight = &uplink->flights[at];
        if (!flight->done && flight->crc == crc) {
            flight->done = true;
            uplink->refused += flight->count;
            memcpy(uplink->reason, reason, sizeof reason);
        }
    }
}

void hr_uplink_message(hr_uplink *uplink, const char *topic, const void *payload, size_t length) {
    char expected[HR_TOPIC_BYTES];
    if (hr_topic(uplink->config, "ack", expected) && strcmp(topic, expected) == 0) {
        hr_read_ack(payload, length, on_range, uplink);
    } else if (hr_topic(uplink->config, "nack", expected) && strcmp(topic, expected) == 0) {
        on_nack(uplink, payload, length);
    }
    settle(uplink);
}
