/* The parts of the test program, the same on the host and on Cortex-M. */
#ifndef TESTS_H
#define TESTS_H

void test_vectors(void);
void test_ring(void);
void test_uplink(void);

#endif
