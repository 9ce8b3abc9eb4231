/* Flash in memory, with its manners: bits only fall, erasing takes a whole sector, and the power may
 * fail after any byte. */
#ifndef FLASH_H
#define FLASH_H

#include "hr_ring.h"

enum { FLASH_SECTOR = 256, FLASH_SECTORS = 4 };

typedef struct {
    uint8_t data[FLASH_SECTORS][FLASH_SECTOR];
    long budget; /* bytes until the power fails; negative: never */
    bool off;
    uint32_t chance;
    uint32_t erasures;
} flash;

void flash_init(flash *chip, hr_storage *storage);
void flash_power_on(flash *chip, long budget);

#endif
