/* A ring of readings in flash: bounded, safe against power cuts at any instant, no malloc.
 *
 * The caller gives storage in sectors that are erased to 0xff and written once between erasures. Sector
 * (generation mod sectors) holds:
 *
 *     header, 32 bytes   "HRR1" | generation u32 | stream, 8 bytes | first seq u64 | 0 u32 | CRC-32
 *     record, 16 bytes   time in us i64 | mantissa i32 | series u8 | flags u8 | CRC-16
 *
 * (so a write is 16 or 32 bytes at a multiple of 16: all flash that programs up to 16 bytes at once).
 *
 * Invariants:
 * - A reading has a number when hr_ring_append returns true, and is in flash by then. Only what is in
 *   flash is ever sent, so a number is never given twice to different readings.
 * - The newest sector is never erased; it says where to go on after a restart.
 * - Where a start finds anything torn or damaged it goes on in a new stream, numbered from 1. What is
 *   whole is not lost by that.
 * - A full ring gives up its oldest sector; what it held unacknowledged is counted in `dropped`, and
 *   the gateway names the hole.
 *
 * Acknowledgements are not written down (flash wears): a sector is erased when all of it is
 * acknowledged, and after a restart the rest is sent again, which the gateway notices.
 */
#ifndef HR_RING_H
#define HR_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What the caller gives. Each function returns false when the flash did not do it. */
typedef struct {
    void *context;
    uint32_t sector_bytes; /* at least 64, a multiple of 16 */
    uint32_t sectors;      /* at least 2 */
    bool (*read)(void *context, uint32_t sector, uint32_t offset, void *data, size_t length);
    bool (*write)(void *context, uint32_t sector, uint32_t offset, const void *data, size_t length);
    bool (*erase)(void *context, uint32_t sector);
    void (*random)(void *context, uint8_t *data, size_t length); /* for stream ids: true chance */
} hr_storage;

typedef struct {
    uint32_t generation;
    uint32_t index;
} hr_position;

typedef struct {
    int64_t time_us;
    int32_t mantissa;
    uint8_t series;
    bool synced; /* whether time_us is UTC, or of the device's own clock */
} hr_row;

typedef struct {
    const hr_storage *storage;
    uint32_t oldest, newest; /* generations; newest == 0: nothing yet */
    uint32_t count;          /* records in the newest sector */
    uint8_t stream[8];
    uint64_t next_seq;
    bool sealed;      /* the newest sector takes no more */
    hr_position tail; /* of the oldest unacknowledged reading */
    uint32_t waiting; /* unacknowledged readings */
    uint32_t dropped; /* unacknowledged readings that a full ring gave up */
    uint32_t failed;  /* readings that flash did not take */
    int64_t newest_local_us; /* newest time of the unsynced clock, for the next boot */
} hr_ring;

/* Read what the last boot left. False when the storage cannot be used at all. */
bool hr_ring_open(hr_ring *ring, const hr_storage *storage);

/* Keep a reading; false when flash did not take it (counted). */
bool hr_ring_append(hr_ring *ring, const hr_row *row);

/* Move `at` to the next reading that is there; gives its number and stream (17 bytes). */
bool hr_ring_seek(hr_ring *ring, hr_position *at, uint64_t *seq, char *stream);

/* The reading at a position; false at the end of its sector. */
bool hr_ring_get(hr_ring *ring, hr_position at, hr_row *row);

/* Everything before `until` is acknowledged: `count` readings more than before. */
void hr_ring_release(hr_ring *ring, hr_position until, uint32_t count);

/* Whether a is before b. */
bool hr_position_before(hr_position a, hr_position b);

/* The present stream as 16 hex digits and a zero. */
void hr_ring_stream(const hr_ring *ring, char *stream);

#ifdef __cplusplus
}
#endif
#endif
