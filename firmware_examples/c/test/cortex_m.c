/* A Cortex-M3 from reset to main; printf and exit go to the emulator by semihosting. */
#include <stdint.h>
#include <stdlib.h>

extern uint32_t data_image[], data_start[], data_end[], bss_start[], bss_end[];
int main(void);
void initialise_monitor_handles(void);
void reset(void);

static void fault(void) {
    abort();
}

__attribute__((section(".vectors"), used)) static void (*const vectors[16])(void) = {
    (void (*)(void))0x20010000, reset, fault, fault, fault, fault, fault,
};

void reset(void) {
    uint32_t *from = data_image;
    for (uint32_t *to = data_start; to < data_end;) {
        *to++ = *from++;
    }
    for (uint32_t *to = bss_start; to < bss_end;) {
        *to++ = 0;
    }
    initialise_monitor_handles();
    exit(main());
}
