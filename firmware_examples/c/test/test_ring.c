/* The ring, with the power cut after every byte that is ever written. */
#include <string.h>

#include "check.h"
#include "flash.h"
#include "tests.h"

enum { PER_SECTOR = (FLASH_SECTOR - 32) / 16, NUMBERS = 200, STREAMS = 8 };

/* The gateway: what has been seen under which name. */
static struct {
    char stream[17];
    int32_t value[NUMBERS]; /* by seq; 0: not seen */
} seen[STREAMS];
static int streams;
static bool arrived[NUMBERS]; /* by value */

static void gateway_takes(const char *stream, uint64_t seq, int32_t value) {
    int at = 0;
    while (at < streams && strcmp(seen[at].stream, stream) != 0) {
        at++;
    }
    if (at == streams) {
        CHECK(streams < STREAMS);
        strcpy(seen[streams++].stream, stream);
    }
    CHECK(seq < NUMBERS && value > 0 && value < NUMBERS);
    CHECK(seen[at].value[seq] == 0 || seen[at].value[seq] == value); /* a number is for life */
    seen[at].value[seq] = value;
    arrived[value] = true;
}

static uint32_t deliver(hr_ring *ring, uint32_t most) {
    hr_position at = ring->tail;
    uint64_t seq;
    char stream[17];
    hr_row row;
    uint32_t count = 0;
    while (count < most && hr_ring_seek(ring, &at, &seq, stream)) {
        CHECK(hr_ring_get(ring, at, &row));
        gateway_takes(stream, seq, row.mantissa);
        at.index++;
        count++;
    }
    hr_ring_release(ring, at, count);
    return count;
}

static bool append(hr_ring *ring, int32_t value) {
    hr_row row = {1000 * (int64_t)value, value, 0, true};
    return hr_ring_append(ring, &row);
}

static void test_numbers_go_on_after_a_restart(void) {
    static flash memory;
    hr_storage storage;
    hr_ring ring;
    flash_init(&memory, &storage);
    CHECK(hr_ring_open(&ring, &storage));
    for (int32_t value = 1; value <= 20; value++) {
        CHECK(append(&ring, value));
    }
    char before[17], after[17];
    hr_ring_stream(&ring, before);
    CHECK(hr_ring_open(&ring, &storage));
    hr_ring_stream(&ring, after);
    CHECK(strcmp(before, after) == 0 && ring.next_seq == 21 && ring.waiting == 20);
}

static void test_a_full_ring_drops_the_oldest_and_counts(void) {
    static flash memory;
    hr_storage storage;
    hr_ring ring;
    flash_init(&memory, &storage);
    CHECK(hr_ring_open(&ring, &storage));
    for (int32_t value = 1; value <= PER_SECTOR * FLASH_SECTORS + 1; value++) {
        CHECK(append(&ring, value));
    }
    CHECK(ring.dropped == PER_SECTOR && ring.waiting == PER_SECTOR * 3 + 1);
    hr_position at = ring.tail;
    uint64_t seq;
    char stream[17];
    CHECK(hr_ring_seek(&ring, &at, &seq, stream) && seq == PER_SECTOR + 1);
}

static void test_all_acknowledged_leaves_one_sector(void) {
    static flash memory;
    hr_storage storage;
    hr_ring ring;
    flash_init(&memory, &storage);
    CHECK(hr_ring_open(&ring, &storage));
    for (int32_t value = 1; value <= PER_SECTOR * 2 + 3; value++) {
        CHECK(append(&ring, value));
    }
    memset(seen, 0, sizeof seen);
    streams = 0;
    CHECK(deliver(&ring, NUMBERS) == PER_SECTOR * 2 + 3);
    CHECK(ring.waiting == 0 && ring.oldest == ring.newest && memory.erasures == 2);
    CHECK(hr_ring_open(&ring, &storage));
    CHECK(ring.waiting == 3 && ring.next_seq == PER_SECTOR * 2 + 4); /* sent again, known */
}

static void test_a_damaged_header_starts_a_new_stream_for_good(void) {
    static flash memory;
    hr_storage storage;
    hr_ring ring;
    char first[17], second[17], third[17];
    flash_init(&memory, &storage);
    CHECK(hr_ring_open(&ring, &storage));
    for (int32_t value = 1; value <= PER_SECTOR + 3; value++) {
        CHECK(append(&ring, value));
    }
    hr_ring_stream(&ring, first);
    memory.data[ring.newest % FLASH_SECTORS][20] ^= 1;
    CHECK(hr_ring_open(&ring, &storage));
    hr_ring_stream(&ring, second);
    CHECK(strcmp(first, second) != 0 && ring.next_seq == 1 && ring.waiting == PER_SECTOR);
    CHECK(hr_ring_open(&ring, &storage));
    hr_ring_stream(&ring, third);
    CHECK(strcmp(second, third) == 0);
}

/* One life: 60 readings, some delivered on the way, the power failing after `budget` bytes. */
static long live(long budget) {
    static flash memory;
    hr_storage storage;
    hr_ring ring;
    bool kept[NUMBERS] = {false};
    memset(seen, 0, sizeof seen);
    memset(arrived, 0, sizeof arrived);
    streams = 0;
    flash_init(&memory, &storage);
    flash_power_on(&memory, budget);
    bool open = hr_ring_open(&ring, &storage);
    long left = 0;
    for (int32_t value = 1; value <= 60; value++) {
        if (memory.off) { /* lights on again, for good */
            left = 1;
            flash_power_on(&memory, -1);
            open = hr_ring_open(&ring, &storage);
        }
        kept[value] = open && append(&ring, value);
        if (value % 7 == 0 && open && !memory.off) {
            deliver(&ring, 5 + (uint32_t)value % 3);
        }
    }
    flash_power_on(&memory, -1);
    CHECK(hr_ring_open(&ring, &storage));
    deliver(&ring, NUMBERS);
    uint32_t lost = 0;
    for (int32_t value = 1; value <= 60; value++) {
        lost += kept[value] && !arrived[value];
    }
    CHECK(lost <= ring.dropped + PER_SECTOR); /* dropped by a full ring, in this life or before */
    return left;
}

/* The same with a ring that never gets full: then nothing that was kept may be missing. */
static bool live_roomy(long budget) {
    static flash memory;
    hr_storage storage;
    hr_ring ring;
    bool kept[NUMBERS] = {false}, was_off = false;
    memset(seen, 0, sizeof seen);
    memset(arrived, 0, sizeof arrived);
    streams = 0;
    flash_init(&memory, &storage);
    flash_power_on(&memory, budget);
    bool open = hr_ring_open(&ring, &storage);
    for (int32_t value = 1; value <= 80; value++) {
        if (memory.off) {
            was_off = true;
            flash_power_on(&memory, -1);
            open = hr_ring_open(&ring, &storage);
            CHECK(open);
        }
        kept[value] = open && append(&ring, value);
        if (value % 9 == 0 && open && !memory.off) {
            deliver(&ring, 9);
        }
    }
    flash_power_on(&memory, -1);
    CHECK(hr_ring_open(&ring, &storage));
    deliver(&ring, NUMBERS);
    for (int32_t value = 1; value <= 80; value++) {
        CHECK(!kept[value] || arrived[value]);
    }
    CHECK(streams <= 2); /* at most one new stream for one power cut */
    return was_off;
}

void test_ring(void) {
    test_numbers_go_on_after_a_restart();
    test_a_full_ring_drops_the_oldest_and_counts();
    test_all_acknowledged_leaves_one_sector();
    test_a_damaged_header_starts_a_new_stream_for_good();
    long cuts = 0;
    while (live_roomy(cuts)) {
        cuts++;
    }
    for (long budget = 0; live(budget); budget++) {
    }
    printf("ring: power cut after each of %ld bytes written\n", cuts);
    CHECK(cuts > 1000);
}
