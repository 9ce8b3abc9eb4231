/* The wire vectors (tests/wire_vectors): vectors.h is made from them by vectors_to_c.py. */
#include <string.h>

#include "check.h"
#include "hr_bytes.h"
#include "hr_document.h"
#include "hr_senml.h"
#include "tests.h"
#include "vectors.h"

static uint8_t buffer[2048];

static size_t write_pack(const write_vector *vector, void *data, size_t size, uint32_t *count) {
    hr_pack pack;
    hr_pack_begin(&pack, vector->format, data, size, vector->prefix, vector->stream, vector->seq);
    *count = 0;
    while (*count < vector->count) {
        const vector_reading *reading = &vector->readings[*count];
        if (!hr_pack_add(&pack, &reading->series, reading->absolute, reading->time_us,
                         reading->mantissa)) {
            break;
        }
        ++*count;
    }
    return hr_pack_end(&pack);
}

static void check_written(const write_vector *vector) {
    uint32_t count;
    size_t length = write_pack(vector, buffer, sizeof buffer, &count);
    if (length != vector->length || memcmp(buffer, vector->bytes, length) != 0) {
        printf("FAILED %s\n%.*s\n%.*s\n", vector->id, (int)length, (const char *)buffer,
               (int)vector->length, (const char *)vector->bytes);
        exit(1);
    }
}

/* A buffer that is too small holds fewer readings, never half a one, and nothing behind its end. */
static void check_small_buffers(const write_vector *vector) {
    uint32_t most = 0;
    for (size_t size = 0; size <= vector->length; size++) {
        uint32_t count;
        memset(buffer, 0xa5, sizeof buffer);
        size_t length = write_pack(vector, buffer, size, &count);
        CHECK(length <= size && buffer[size] == 0xa5 && count >= most);
        CHECK(count < vector->count || size == vector->length);
        CHECK((count == 0) == (length == 0));
        most = count;
    }
}

static uint64_t ranges[16][2];
static uint32_t range_count;
static char range_stream[40];

static void on_range(void *context, const char *stream, uint64_t first, uint64_t last) {
    (void)context;
    CHECK(range_count < 16);
    strcpy(range_stream, stream);
    ranges[range_count][0] = first;
    ranges[range_count++][1] = last;
}

static void check_ack(const document_vector *vector) {
    range_count = 0;
    bool read = hr_read_ack(vector->bytes, vector->length, on_range, NULL);
    if (read != vector->valid || range_count != vector->range_count) {
        printf("FAILED %s\n", vector->id);
        exit(1);
    }
    for (uint32_t at = 0; at < range_count; at++) {
        CHECK(ranges[at][0] == vector->ranges[at][0] && ranges[at][1] == vector->ranges[at][1]);
        CHECK(strcmp(range_stream, vector->stream) == 0);
    }
}

static void check_nack(const document_vector *vector) {
    uint32_t crc = 0;
    char reason[24] = "";
    bool read = hr_read_nack(vector->bytes, vector->length, &crc, reason, sizeof reason);
    if (read != vector->valid) {
        printf("FAILED %s\n", vector->id);
        exit(1);
    }
    if (vector->valid) {
        CHECK(crc == vector->crc && strcmp(reason, vector->reason) == 0);
    }
}

/* Any beginning of a document is no document, and is not read past its end. */
static void check_cuts(const document_vector *vector) {
    for (size_t length = 0; length < vector->length; length++) {
        char *copy = malloc(length ? length : 1);
        memcpy(copy, vector->bytes, length);
        uint32_t crc;
        char reason[8];
        range_count = 0;
        bool ack = hr_read_ack(copy, length, on_range, NULL);
        bool nack = hr_read_nack(copy, length, &crc, reason, sizeof reason);
        free(copy);
        CHECK(!vector->valid || vector->bytes[length] == '\n' || (!ack && !nack));
    }
}

void test_vectors(void) {
    CHECK(hr_crc32("123456789", 9) == 0xcbf43926);
    for (size_t at = 0; at < sizeof write_vectors / sizeof *write_vectors; at++) {
        check_written(&write_vectors[at]);
        check_small_buffers(&write_vectors[at]);
    }
    size_t documents = sizeof document_vectors / sizeof *document_vectors;
    for (size_t at = 0; at < documents; at++) {
        const document_vector *vector = &document_vectors[at];
        (vector->is_ack ? check_ack : check_nack)(vector);
        check_cuts(vector);
    }
    printf("vectors: %u written, %u documents\n",
           (unsigned)(sizeof write_vectors / sizeof *write_vectors), (unsigned)documents);
}
