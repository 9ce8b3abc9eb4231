#include "flash.h"

#include <string.h>

#include "check.h"

static bool spend(flash *chip) {
    if (chip->budget == 0) {
        chip->off = true;
    } else if (chip->budget > 0) {
        chip->budget--;
    }
    return !chip->off;
}

static bool flash_read(void *context, uint32_t sector, uint32_t offset, void *data, size_t length) {
    flash *from = context;
    CHECK(sector < FLASH_SECTORS && offset + length <= FLASH_SECTOR);
    memcpy(data, from->data[sector] + offset, length);
    return !from->off;
}

static bool flash_write(void *context, uint32_t sector, uint32_t offset, const void *data,
                        size_t length) {
    flash *to = context;
    CHECK(sector < FLASH_SECTORS && offset + length <= FLASH_SECTOR && offset % 16 == 0);
    for (size_t at = 0; at < length; at++) {
        if (!spend(to)) {
            return false;
        }
        uint8_t *cell = &to->data[sector][offset + at];
        CHECK(*cell == 0xff); /* written once between erasures */
        *cell = ((const uint8_t *)data)[at];
    }
    return true;
}

static bool flash_erase(void *context, uint32_t sector) {
    flash *to = context;
    to->erasures++;
    for (uint32_t at = 0; at < FLASH_SECTOR; at++) { /* from the back: headers survive longest */
        if (!spend(to)) {
            return false;
        }
        to->data[sector][FLASH_SECTOR - 1 - at] = 0xff;
    }
    return true;
}

static void flash_random(void *context, uint8_t *data, size_t length) {
    flash *from = context;
    while (length--) {
        from->chance = from->chance * 1664525u + 1013904223u;
        *data++ = (uint8_t)(from->chance >> 24);
    }
}

void flash_init(flash *chip, hr_storage *storage) {
    memset(chip->data, 0xff, sizeof chip->data);
    chip->budget = -1;
    chip->off = false;
    chip->chance = 42;
    chip->erasures = 0;
    hr_storage made = {chip,        FLASH_SECTOR, FLASH_SECTORS, flash_read,
                       flash_write, flash_erase,  flash_random};
    *storage = made;
}

void flash_power_on(flash *chip, long budget) {
    chip->off = false;
    chip->budget = budget;
}
