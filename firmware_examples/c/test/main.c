#include <stdio.h>

#include "tests.h"

int main(void) {
    test_vectors();
    test_ring();
    test_uplink();
    printf("all passed\n");
    return 0;
}
