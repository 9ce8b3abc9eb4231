/* Little-endian numbers in bytes, and CRC-32 (the one of zlib and Ethernet).
 *
 * What stands in flash must read the same after a change of compiler, so nothing is ever copied
 * from or to a struct as a whole.
 */
#ifndef HR_BYTES_H
#define HR_BYTES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

void hr_put(uint8_t *to, uint64_t number, int bytes);
uint64_t hr_get(const uint8_t *from, int bytes);
uint32_t hr_crc32(const void *data, size_t length);

#ifdef __cplusplus
}
#endif
#endif
