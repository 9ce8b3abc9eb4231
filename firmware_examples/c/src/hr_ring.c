#include "hr_ring.h"

#include <string.h>

#include "hr_bytes.h"

enum { HEADER = 32, RECORD = 16, FLAG_SYNCED = 1 };
static const uint8_t magic[4] = {'H', 'R', 'R', '1'};

typedef struct {
    uint32_t generation;
    uint8_t stream[8];
    uint64_t first_seq;
} header;

typedef enum { BLANK, BROKEN, WHOLE } state;

static uint32_t sector_of(const hr_ring *ring, uint32_t generation) {
    return generation % ring->storage->sectors;
}

static uint32_t per_sector(const hr_ring *ring) {
    return (ring->storage->sector_bytes - HEADER) / RECORD;
}

bool hr_position_before(hr_position a, hr_position b) {
    return a.generation < b.generation || (a.generation == b.generation && a.index < b.index);
}

static bool is_blank(const uint8_t *data, size_t length) {
    while (length--) {
        if (*data++ != 0xff) {
            return false;
        }
    }
    return true;
}

static void to_hex(const uint8_t *bytes, char *text) {
    for (int at = 0; at < 16; at++) {
        text[at] = "0123456789abcdef"[(bytes[at / 2] >> (at % 2 ? 0 : 4)) & 15];
    }
    text[16] = 0;
}

void hr_ring_stream(const hr_ring *ring, char *stream) {
    to_hex(ring->stream, stream);
}

/* --- one sector ------------------------------------------------------------------------------ */

static state read_header(hr_ring *ring, uint32_t sector, header *found) {
    uint8_t data[HEADER];
    if (!ring->storage->read(ring->storage->context, sector, 0, data, HEADER)) {
        return BROKEN;
    }
    if (is_blank(data, HEADER)) {
        return BLANK;
    }
    if (memcmp(data, magic, 4) != 0 || hr_get(data + 28, 4) != hr_crc32(data, 28)) {
        return BROKEN;
    }
    found->generation = (uint32_t)hr_get(data + 4, 4);
    memcpy(found->stream, data + 8, 8);
    found->first_seq = hr_get(data + 16, 8);
    return WHOLE;
}

static bool write_header(hr_ring *ring, uint32_t generation) {
    uint8_t data[HEADER] = {0};
    memcpy(data, magic, 4);
    hr_put(data + 4, generation, 4);
    memcpy(data + 8, ring->stream, 8);
    hr_put(data + 16, ring->next_seq, 8);
    hr_put(data + 28, hr_crc32(data, 28), 4);
    const hr_storage *storage = ring->storage;
    return storage->write(storage->context, sector_of(ring, generation), 0, data, HEADER);
}

static state read_record(hr_ring *ring, uint32_t sector, uint32_t index, hr_row *row) {
    uint8_t data[RECORD];
    const hr_storage *storage = ring->storage;
    if (!storage->read(storage->context, sector, HEADER + index * RECORD, data, RECORD)) {
        return BROKEN;
    }
    if (is_blank(data, RECORD)) {
        return BLANK;
    }
    if (hr_get(data + 14, 2) != (hr_crc32(data, 14) & 0xffff)) {
        return BROKEN;
    }
    row->time_us = (int64_t)hr_get(data, 8);
    row->mantissa = (int32_t)(uint32_t)hr_get(data + 8, 4);
    row->series = data[12];
    row->synced = (data[13] & FLAG_SYNCED) != 0;
    return WHOLE;
}

static bool write_record(hr_ring *ring, const hr_row *row) {
    uint8_t data[RECORD];
    hr_put(data, (uint64_t)row->time_us, 8);
    hr_put(data + 8, (uint32_t)row->mantissa, 4);
    data[12] = row->series;
    data[13] = row->synced ? FLAG_SYNCED : 0;
    hr_put(data + 14, hr_crc32(data, 14) & 0xffff, 2);
    const hr_storage *storage = ring->storage;
    uint32_t offset = HEADER + ring->count * RECORD;
    return storage->write(storage->context, sector_of(ring, ring->newest), offset, data, RECORD);
}

/* How many whole records a sector begins with, and what comes behind them. */
static uint32_t count_records(hr_ring *ring, uint32_t sector, state *behind) {
    uint32_t count = 0;
    *behind = BLANK;
    while (count < per_sector(ring)) {
        hr_row row;
        *behind = read_record(ring, sector, count, &row);
        if (*behind != WHOLE) {
            return count;
        }
        if (!row.synced && row.time_us > ring->newest_local_us) {
            ring->newest_local_us = row.time_us;
        }
        count++;
    }
    *behind = BLANK;
    return count;
}

static bool make_blank(hr_ring *ring, uint32_t sector) {
    const hr_storage *storage = ring->storage;
    for (uint32_t offset = 0; offset < storage->sector_bytes; offset += RECORD) {
        uint8_t data[RECORD];
        bool read = storage->read(storage->context, sector, offset, data, RECORD);
        if (!read || !is_blank(data, RECORD)) {
            return storage->erase(storage->context, sector);
        }
    }
    return true;
}

/* --- starting -------------------------------------------------------------------------------- */

/* Find the oldest and the newest generation; true when a header was broken. */
static bool find_ends(hr_ring *ring) {
    bool broken = false;
    for (uint32_t sector = 0; sector < ring->storage->sectors; sector++) {
        header found;
        state is = read_header(ring, sector, &found);
        broken = broken || is == BROKEN;
        if (is != WHOLE) {
            continue;
        }
        if (!ring->newest || found.generation > ring->newest) {
            ring->newest = found.generation;
        }
        if (!ring->oldest || found.generation < ring->oldest) {
            ring->oldest = found.generation;
        }
    }
    return broken;
}

static bool holds(hr_ring *ring, uint32_t generation, header *found) {
    state is = read_header(ring, sector_of(ring, generation), found);
    return is == WHOLE && found->generation == generation;
}

/* Count what waits, and take up the newest sector's numbering; true when its end is torn. */
static bool take_up(hr_ring *ring) {
    state behind = BLANK;
    for (uint32_t at = ring->oldest; at <= ring->newest; at++) {
        header found;
        if (!holds(ring, at, &found)) {
            continue;
        }
        ring->count = count_records(ring, sector_of(ring, at), &behind);
        ring->waiting += ring->count;
        memcpy(ring->stream, found.stream, sizeof ring->stream);
        ring->next_seq = found.first_seq + ring->count;
    }
    return behind != BLANK;
}

static void new_stream(hr_ring *ring) {
    ring->storage->random(ring->storage->context, ring->stream, sizeof ring->stream);
    ring->next_seq = 1;
    ring->sealed = true;
}

static bool open_next(hr_ring *ring);

bool hr_ring_open(hr_ring *ring, const hr_storage *storage) {
    memset(ring, 0, sizeof *ring);
    ring->storage = storage;
    if (storage->sectors < 2 || storage->sector_bytes < 64 || storage->sector_bytes % RECORD) {
        return false;
    }
    bool broken = find_ends(ring);
    if (ring->newest) {
        broken = take_up(ring) || broken;
    }
    ring->tail.generation = ring->oldest;
    if (ring->newest && !broken) {
        return true;
    }
    /* The new stream must stand before the traces of the damage go. */
    new_stream(ring);
    if (!open_next(ring)) {
        return false;
    }
    for (uint32_t sector = 0; broken && sector < storage->sectors; sector++) {
        header found;
        if (read_header(ring, sector, &found) == BROKEN && !make_blank(ring, sector)) {
            return false;
        }
    }
    return true;
}

/* --- writing --------------------------------------------------------------------------------- */

static void forget_oldest(hr_ring *ring) {
    ring->oldest++;
    if (ring->tail.generation < ring->oldest) {
        ring->tail.generation = ring->oldest;
        ring->tail.index = 0;
    }
}

/* The oldest sector makes room; what of it was not acknowledged is lost, and counted. */
static void drop_oldest(hr_ring *ring) {
    header found;
    state behind;
    if (holds(ring, ring->oldest, &found)) {
        uint32_t count = count_records(ring, sector_of(ring, ring->oldest), &behind);
        uint32_t acked = ring->tail.generation == ring->oldest ? ring->tail.index : 0;
        uint32_t lost = ring->tail.generation > ring->oldest || count < acked ? 0 : count - acked;
        ring->dropped += lost;
        ring->waiting -= lost;
    }
    forget_oldest(ring);
}

static bool open_next(hr_ring *ring) {
    uint32_t generation = ring->newest + 1;
    while (ring->newest && generation - ring->oldest >= ring->storage->sectors) {
        drop_oldest(ring);
    }
    if (!make_blank(ring, sector_of(ring, generation)) || !write_header(ring, generation)) {
        return false;
    }
    if (!ring->newest) {
        ring->oldest = generation;
        ring->tail.generation = generation;
    }
    ring->newest = generation;
    ring->count = 0;
    ring->sealed = false;
    return true;
}

bool hr_ring_append(hr_ring *ring, const hr_row *row) {
    if ((ring->sealed || ring->count >= per_sector(ring)) && !open_next(ring)) {
        ring->failed++;
        return false;
    }
    if (!write_record(ring, row)) {
        new_stream(ring); /* whether it is there is not known, and the next boot must not guess */
        ring->failed++;
        return false;
    }
    ring->count++;
    ring->next_seq++;
    ring->waiting++;
    return true;
}

/* --- reading --------------------------------------------------------------------------------- */

bool hr_ring_seek(hr_ring *ring, hr_position *at, uint64_t *seq, char *stream) {
    if (hr_position_before(*at, ring->tail)) {
        *at = ring->tail;
    }
    while (at->generation <= ring->newest) {
        header found;
        hr_row row;
        if (holds(ring, at->generation, &found) && hr_ring_get(ring, *at, &row)) {
            *seq = found.first_seq + at->index;
            to_hex(found.stream, stream);
            return true;
        }
        if (at->generation == ring->newest) {
            return false;
        }
        at->generation++;
        at->index = 0;
    }
    return false;
}

bool hr_ring_get(hr_ring *ring, hr_position at, hr_row *row) {
    bool newest = at.generation == ring->newest;
    if (at.index >= (newest ? ring->count : per_sector(ring))) {
        return false;
    }
    return read_record(ring, sector_of(ring, at.generation), at.index, row) == WHOLE;
}

void hr_ring_release(hr_ring *ring, hr_position until, uint32_t count) {
    if (!hr_position_before(ring->tail, until)) {
        return;
    }
    ring->tail = until;
    ring->waiting -= count < ring->waiting ? count : ring->waiting;
    hr_row row;
    while (ring->oldest < ring->newest) {
        if (ring->tail.generation == ring->oldest && hr_ring_get(ring, ring->tail, &row)) {
            return;
        }
        /* A sector that will not be erased now is tried again, and counted, when it is needed. */
        ring->storage->erase(ring->storage->context, sector_of(ring, ring->oldest));
        forget_oldest(ring);
    }
    ring->waiting = ring->count - ring->tail.index; /* also right after flash has lost something */
}
