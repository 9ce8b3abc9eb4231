/* SenML packs (RFC 8428) in JSON or CBOR, written straight into a buffer.
 *
 * A reading is an integer with a number of decimals, 231 with 1 for 23.1, and a time in integer
 * microseconds: no printf, no float in JSON, and in the lake the float64 nearest to what the sensor
 * said. The first record carries "stream" and "seq". tests/wire_vectors has the bytes.
 *
 *     hr_pack pack;
 *     hr_pack_begin(&pack, HR_JSON, buffer, sizeof buffer, "tank/", stream, seq);
 *     while (hr_pack_add(&pack, &series, true, time_us, mantissa)) ...   false: the pack is full
 *     size_t length = hr_pack_end(&pack);
 */
#ifndef HR_SENML_H
#define HR_SENML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { HR_JSON, HR_CBOR } hr_format;

/* What is measured. Decimals up to 9. */
typedef struct {
    const char *name;
    const char *unit; /* SenML unit, "" for none */
    uint8_t decimals;
} hr_series;

typedef struct {
    uint8_t *data;
    size_t size;
    size_t used;
    hr_format format;
    bool failed;
    const char *prefix;
    const char *stream;
    uint64_t seq;
    int64_t base_s;
    uint32_t count;
} hr_pack;

/* The last level of the topic for a format. */
const char *hr_format_name(hr_format format);

/* prefix, stream (16 hex digits) and data must live until hr_pack_end. */
void hr_pack_begin(hr_pack *pack, hr_format format, void *data, size_t size, const char *prefix,
                   const char *stream, uint64_t seq);

/* Add a reading; its number is seq plus how many came before. A time that is not absolute is relative
 * to the arrival: negative, or 0 for now. All of a pack are absolute, or none. Returns false, and leaves
 * the pack as it was, when the reading does not fit. */
bool hr_pack_add(hr_pack *pack, const hr_series *series, bool absolute, int64_t time_us,
                 int32_t mantissa);

/* Close the pack; its length in bytes. */
size_t hr_pack_end(hr_pack *pack);

#ifdef __cplusplus
}
#endif
#endif
