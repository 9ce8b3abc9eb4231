/* A device on this machine: flash in a file, MQTT over a socket, a sensor that counts.
 *
 *     demo PORT DEVICE FLASH BOOK STOP json|cbor
 *
 * Every reading is booked in the file BOOK ("stream seq value .") once flash has it. When the file
 * STOP is there it samples no more, sends what is left and ends with status 0.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "hr_mqtt.h"
#include "hr_uplink.h"

enum { SECTOR = 4096, SECTORS = 16, SAMPLE_MS = 5, STATE_MS = 2000 };

static void fail(const char *what) {
    perror(what);
    exit(2);
}

static int64_t clock_us(clockid_t which) {
    struct timespec now;
    clock_gettime(which, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* --- flash in a file ------------------------------------------------------------------------- */

static int flash_file;

static bool flash_read(void *context, uint32_t sector, uint32_t offset, void *data, size_t length) {
    (void)context;
    return pread(flash_file, data, length, (off_t)sector * SECTOR + offset) == (ssize_t)length;
}

static bool flash_write(void *context, uint32_t sector, uint32_t offset, const void *data,
                        size_t length) {
    (void)context;
    return pwrite(flash_file, data, length, (off_t)sector * SECTOR + offset) == (ssize_t)length;
}

static bool flash_erase(void *context, uint32_t sector) {
    uint8_t blank[SECTOR];
    memset(blank, 0xff, sizeof blank);
    return flash_write(context, sector, 0, blank, sizeof blank);
}

static void flash_random(void *context, uint8_t *data, size_t length) {
    (void)context;
    int source = open("/dev/urandom", O_RDONLY);
    if (source < 0 || read(source, data, length) != (ssize_t)length) {
        fail("/dev/urandom");
    }
    close(source);
}

static void open_flash(const char *path) {
    flash_file = open(path, O_RDWR | O_CREAT, 0600);
    if (flash_file < 0) {
        fail(path);
    }
    if (lseek(flash_file, 0, SEEK_END) < SECTORS * SECTOR) {
        for (uint32_t sector = 0; sector < SECTORS; sector++) {
            flash_erase(NULL, sector);
        }
    }
}

/* --- a socket -------------------------------------------------------------------------------- */

static int wire = -1;

static void hang_up(void) {
    if (wire >= 0) {
        close(wire);
    }
    wire = -1;
}

static bool dial(int port) {
    struct sockaddr_in address;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t)port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    wire = socket(AF_INET, SOCK_STREAM, 0);
    return wire >= 0 && connect(wire, (struct sockaddr *)&address, sizeof address) == 0;
}

static int wire_read(void *context, void *data, size_t length) {
    (void)context;
    ssize_t came = recv(wire, data, length, MSG_DONTWAIT);
    if (came > 0) {
        return (int)came;
    }
    return came < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? 0 : -1;
}

static bool wire_write(void *context, const void *data, size_t length) {
    const char *from = data;
    (void)context;
    while (length) {
        ssize_t sent = send(wire, from, length, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        from += sent;
        length -= (size_t)sent;
    }
    return true;
}

/* --- the device ------------------------------------------------------------------------------ */

static const hr_series series[] = {{"count", "", 0}, {"temperature", "Cel", 2}};
static const hr_storage storage = {NULL,        SECTOR,      SECTORS,     flash_read,
                                   flash_write, flash_erase, flash_random};
static const hr_stream stream = {NULL, wire_read, wire_write};
static uint8_t pack_buffer[1024], mqtt_buffer[512];
static hr_uplink_config config;
static hr_ring ring;
static hr_uplink uplink;
static hr_mqtt mqtt;
static hr_clock now_is;
static uint32_t now_ms;

static bool publish(void *context, const char *topic, const void *payload, size_t length) {
    (void)context;
    return hr_mqtt_publish(&mqtt, topic, payload, length, false, now_ms);
}

static void on_message(void *context, const char *topic, const void *payload, size_t length) {
    (void)context;
    hr_uplink_message(&uplink, topic, payload, length);
}

static void tick(void) {
    static int64_t started;
    started = started ? started : clock_us(CLOCK_MONOTONIC);
    int64_t passed = clock_us(CLOCK_MONOTONIC) - started;
    now_ms = (uint32_t)(passed / 1000);
    now_is.local_us = passed;
    now_is.offset_us = clock_us(CLOCK_REALTIME) - passed;
    now_is.synced = passed > 300000; /* as if the time had to be asked for first */
}

static void sample(FILE *book, int32_t count) {
    for (uint8_t index = 0; index < 2; index++) {
        char id[17];
        hr_row row = {0, count, index, false};
        hr_clock_stamp(&now_is, &row);
        if (!hr_ring_append(&ring, &row)) {
            fail("flash");
        }
        hr_ring_stream(&ring, id);
        unsigned long long seq = ring.next_seq - 1;
        fprintf(book, "%s %llu %.2f .\n", id, seq, index ? count / 100.0 : (double)count);
    }
    fflush(book);
}

static void publish_state(void) {
    static uint32_t next;
    char topic[HR_TOPIC_BYTES], text[256];
    if ((int32_t)(now_ms - next) >= 0 && hr_topic(&config, "state", topic)) {
        size_t length = hr_uplink_state(&uplink, &now_is, text, sizeof text);
        hr_mqtt_publish(&mqtt, topic, text, length, true, now_ms);
        next = now_ms + STATE_MS;
    }
}

/* One round of the network; returns the pause before the next attempt when the connection is gone. */
static uint32_t network(int port, const hr_mqtt_login *login) {
    if (wire < 0) {
        if (!dial(port)) {
            hang_up();
            return hr_uplink_disconnected(&uplink, (uint32_t)rand());
        }
        hr_mqtt_start(&mqtt, login, now_ms);
    }
    hr_mqtt_state state = hr_mqtt_poll(&mqtt, now_ms);
    if (state == HR_MQTT_FAILED) {
        hang_up();
        return hr_uplink_disconnected(&uplink, (uint32_t)rand());
    }
    if (state == HR_MQTT_READY) {
        if (!uplink.connected) {
            hr_uplink_connected(&uplink);
        }
        while (hr_uplink_poll(&uplink, now_ms, &now_is)) {
        }
        publish_state();
    }
    return 0;
}

int main(int count, char **words) {
    if (count != 7) {
        fprintf(stderr, "usage: demo PORT DEVICE FLASH BOOK STOP json|cbor\n");
        return 2;
    }
    hr_uplink_config made = {
        "headrace/v1", words[2],    "",    strcmp(words[6], "cbor") == 0 ? HR_CBOR : HR_JSON,
        series,        2,           32,    1000,
        pack_buffer,   sizeof pack_buffer, publish, NULL,
    };
    config = made;
    open_flash(words[3]);
    FILE *book = fopen(words[4], "a");
    if (!book || !hr_ring_open(&ring, &storage)) {
        fail("start");
    }
    srand((unsigned)clock_us(CLOCK_REALTIME));
    hr_uplink_init(&uplink, &config, &ring);
    char topics[3][HR_TOPIC_BYTES];
    hr_topic(&config, "ack", topics[0]);
    hr_topic(&config, "nack", topics[1]);
    hr_topic(&config, "state", topics[2]);
    hr_mqtt_login login = {words[2], NULL, NULL, topics[2], "{\"online\":false}", 10};
    mqtt.stream = &stream;
    mqtt.on_message = on_message;
    mqtt.topics[0] = topics[0];
    mqtt.topics[1] = topics[1];
    mqtt.buffer = mqtt_buffer;
    mqtt.size = sizeof mqtt_buffer;
    uint32_t sample_at = 0, connect_at = 0;
    int32_t value = 0;
    for (;;) {
        tick();
        bool stopped = access(words[5], F_OK) == 0;
        if (stopped && hr_uplink_idle(&uplink)) {
            break;
        }
        if (!stopped && (int32_t)(now_ms - sample_at) >= 0) {
            sample(book, ++value);
            sample_at += SAMPLE_MS;
        }
        if ((int32_t)(now_ms - connect_at) >= 0) {
            connect_at = now_ms + network(atoi(words[1]), &login);
        }
        struct pollfd waiting = {wire, POLLIN, 0};
        poll(&waiting, 1, 2);
    }
    printf("done: %llu sampled, %u dropped, %u refused\n", (unsigned long long)ring.next_seq - 1,
           (unsigned)ring.dropped, (unsigned)uplink.refused);
    return 0;
}
