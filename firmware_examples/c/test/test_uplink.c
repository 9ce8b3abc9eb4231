/* The uplink against a network that loses, and a gateway that answers late, twice or not at all. */
#include <string.h>

#include "check.h"
#include "flash.h"
#include "hr_bytes.h"
#include "hr_uplink.h"
#include "tests.h"

static const hr_series series[] = {{"level", "m", 2}, {"temperature", "Cel", 1}};
static uint8_t buffer[256];

/* The wire: the last payload, and whether the network takes it. */
static struct {
    char topic[HR_TOPIC_BYTES];
    char payload[257];
    size_t length;
    int sent;
    bool broken;
} wire;

static bool publish(void *context, const char *topic, const void *payload, size_t length) {
    (void)context;
    strcpy(wire.topic, topic);
    memcpy(wire.payload, payload, length);
    wire.payload[length] = 0;
    wire.length = length;
    wire.sent++;
    return !wire.broken;
}

static const hr_uplink_config config = {
    "headrace/v1", "pump-1", "", HR_JSON, series, 2, 4, 1000, buffer, sizeof buffer, publish, NULL,
};
static flash memory;
static hr_storage storage;
static hr_ring ring;
static hr_uplink uplink;
static hr_clock now_is;

static void start(int readings) {
    flash_init(&memory, &storage);
    CHECK(hr_ring_open(&ring, &storage));
    hr_uplink_init(&uplink, &config, &ring);
    memset(&wire, 0, sizeof wire);
    memset(&now_is, 0, sizeof now_is);
    for (int value = 1; value <= readings; value++) {
        hr_row row = {0, value, (uint8_t)(value % 2), false};
        now_is.local_us += 1000000;
        hr_clock_stamp(&now_is, &row);
        CHECK(hr_ring_append(&ring, &row));
    }
}

static void answer(const char *text) {
    hr_uplink_message(&uplink, "headrace/v1/pump-1/ack", text, strlen(text));
}

static void ack(unsigned first, unsigned last) {
    char stream[17], text[96];
    hr_ring_stream(&ring, stream);
    snprintf(text, sizeof text, "{\"stream\":\"%s\",\"ranges\":[[%u,%u]]}", stream, first, last);
    answer(text);
}

static int poll_all(uint32_t now) {
    int before = wire.sent;
    while (hr_uplink_poll(&uplink, now, &now_is)) {
    }
    return wire.sent - before;
}

static void test_only_an_ack_frees(void) {
    start(10);
    CHECK(poll_all(0) == 0); /* not connected */
    hr_uplink_connected(&uplink);
    CHECK(poll_all(0) == 3 && ring.waiting == 10 && poll_all(999) == 0);
    CHECK(strcmp(wire.topic, "headrace/v1/pump-1/data/senml-json") == 0);
    ack(5, 8);
    CHECK(ring.waiting == 10); /* in order */
    ack(1, 3);
    CHECK(ring.waiting == 10); /* a pack is acknowledged whole */
    ack(1, 4);
    CHECK(ring.waiting == 2);
    CHECK(poll_all(1000) == 1 && strstr(wire.payload, "\"seq\":9,") != NULL);
    ack(1, 10);
    CHECK(ring.waiting == 0 && hr_uplink_idle(&uplink) && poll_all(9999) == 0);
}

static void test_other_streams_and_rubbish_change_nothing(void) {
    start(4);
    hr_uplink_connected(&uplink);
    poll_all(0);
    answer("{\"stream\":\"ffffffffffffffff\",\"ranges\":[[1,4]]}");
    answer("{\"stream\":\"");
    answer("");
    hr_uplink_message(&uplink, "headrace/v1/pump-2/ack", "{}", 2);
    CHECK(ring.waiting == 4);
}

static void test_a_lost_connection_sends_everything_again(void) {
    start(6);
    hr_uplink_connected(&uplink);
    CHECK(poll_all(0) == 2);
    uint32_t pause = hr_uplink_disconnected(&uplink, 123456789);
    CHECK(pause < 500 && poll_all(10) == 0);
    for (int times = 0; times < 50; times++) {
        CHECK(hr_uplink_disconnected(&uplink, UINT32_MAX) < 60000);
    }
    hr_uplink_connected(&uplink);
    CHECK(poll_all(11) == 2);
}

static void test_a_nack_drops_the_pack_of_that_checksum(void) {
    start(4);
    hr_uplink_connected(&uplink);
    poll_all(0);
    char text[128];
    unsigned long crc = hr_crc32(wire.payload, wire.length);
    const char *form = "{\"stream\":\"\",\"ranges\":[],\"reason\":\"%s\",\"crc\":%lu}";
    snprintf(text, sizeof text, form, "bad_value", crc + 1);
    hr_uplink_message(&uplink, "headrace/v1/pump-1/nack", text, strlen(text));
    CHECK(ring.waiting == 4);
    snprintf(text, sizeof text, form, "bad_value", crc);
    hr_uplink_message(&uplink, "headrace/v1/pump-1/nack", text, strlen(text));
    CHECK(ring.waiting == 0 && uplink.refused == 4 && strcmp(uplink.reason, "bad_value") == 0);
}

static void test_times_are_relative_until_the_time_is_known(void) {
    start(2);
    hr_uplink_connected(&uplink);
    now_is.local_us += 500000;
    poll_all(0);
    CHECK(strstr(wire.payload, "\"t\":-1.5,\"v\":0.1") != NULL);
    CHECK(strstr(wire.payload, "\"t\":-0.5,\"v\":0.02") != NULL);
    now_is.offset_us = 1763877858000000 - now_is.local_us;
    now_is.synced = true;
    poll_all(1000);
    CHECK(strstr(wire.payload, "\"bt\":1763877856,") && strstr(wire.payload, "\"t\":0.5"));
}

static void test_a_full_ring_under_way_goes_on(void) {
    start(50);
    hr_uplink_connected(&uplink);
    poll_all(0);
    for (int value = 51; value <= 120; value++) {
        hr_row row = {0, value, 0, true};
        CHECK(hr_ring_append(&ring, &row));
    }
    ack(1, 16); /* of a sector that is gone: nothing to free, nothing wrong */
    for (uint32_t now = 1000; ring.waiting; now += 1000) {
        poll_all(now);
        ack(1, 120);
        CHECK(now < 100000);
    }
    CHECK(ring.dropped > 0 && hr_uplink_idle(&uplink));
}

static void test_the_state_says_what_waits(void) {
    char text[256];
    start(3);
    size_t length = hr_uplink_state(&uplink, &now_is, text, sizeof text);
    CHECK(length == strlen(text) && strstr(text, "\"buffered\":3,\"sampled\":3,"));
    CHECK(hr_uplink_state(&uplink, &now_is, text, 40) == 0);
}

void test_uplink(void) {
    test_only_an_ack_frees();
    test_other_streams_and_rubbish_change_nothing();
    test_a_lost_connection_sends_everything_again();
    test_a_nack_drops_the_pack_of_that_checksum();
    test_times_are_relative_until_the_time_is_known();
    test_a_full_ring_under_way_goes_on();
    test_the_state_says_what_waits();
    printf("uplink: 7 stories\n");
}
