/* The gateway's two answers, read from JSON without memory of their own.
 *
 * A document that is not exactly an ack or a nack changes nothing: it is checked whole before the
 * first range is handed out. Unknown keys are skipped, whatever they hold.
 */
#ifndef HR_DOCUMENT_H
#define HR_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef void (*hr_range_function)(void *context, const char *stream, uint64_t first, uint64_t last);

/* {"stream": "<hex>", "ranges": [[first, last], ...]}: calls `each` per range; false: no ack. */
bool hr_read_ack(const void *payload, size_t length, hr_range_function each, void *context);

/* {"crc": n, "reason": "..."}: the checksum of the refused payload, and why; false: no nack. */
bool hr_read_nack(const void *payload, size_t length, uint32_t *crc, char *reason, size_t size);

#ifdef __cplusplus
}
#endif
#endif
