/* The smallest test tool that says where and what. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                                                  \
    do {                                                                                  \
        if (!(condition)) {                                                               \
            printf("FAILED %s:%d: %s\n", __FILE__, __LINE__, #condition);                 \
            exit(1);                                                                      \
        }                                                                                 \
    } while (0)

#endif
