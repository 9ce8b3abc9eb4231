#include "hr_document.h"

#include <string.h>

enum { MAX_DEPTH = 8, STREAM = 33 };

/* Where we are in the text; `bad` ends everything. */
typedef struct {
    const char *at, *end;
    bool bad;
} cursor;

static void skip_blanks(cursor *c) {
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\r' || *c->at == '\t')) {
        c->at++;
    }
}

static bool is_next(cursor *c, char letter) {
    skip_blanks(c);
    return c->at < c->end && *c->at == letter;
}

static bool took(cursor *c, char letter) {
    if (c->bad || !is_next(c, letter)) {
        return false;
    }
    c->at++;
    return true;
}

static void expect(cursor *c, char letter) {
    if (!took(c, letter)) {
        c->bad = true;
    }
}

/* A string, cut to size; escapes are kept as they are: what we compare has none. */
static void read_string(cursor *c, char *text, size_t size) {
    size_t length = 0;
    expect(c, '"');
    while (!c->bad && c->at < c->end && *c->at != '"') {
        if (*c->at == '\\' && c->at + 1 < c->end) {
            c->at++;
        }
        if (length + 1 < size) {
            text[length++] = *c->at;
        }
        c->at++;
    }
    if (size) {
        text[length] = 0;
    }
    if (c->at >= c->end) {
        c->bad = true;
        return;
    }
    c->at++;
}

static bool is_digit(const cursor *c) {
    return c->at < c->end && *c->at >= '0' && *c->at <= '9';
}

static uint64_t read_number(cursor *c) {
    uint64_t number = 0;
    skip_blanks(c);
    c->bad = c->bad || !is_digit(c);
    while (!c->bad && is_digit(c)) {
        unsigned digit = (unsigned)(*c->at++ - '0');
        c->bad = number > (UINT64_MAX - digit) / 10;
        number = number * 10 + digit;
    }
    if (c->at < c->end && (*c->at == '.' || *c->at == 'e' || *c->at == 'E')) {
        c->bad = true; /* a fraction is no number of a reading */
    }
    return number;
}

static void skip_value(cursor *c, int depth);

static void skip_members(cursor *c, char close, int depth) {
    c->at++;
    if (took(c, close)) {
        return;
    }
    do {
        if (close == '}') {
            read_string(c, NULL, 0);
            expect(c, ':');
        }
        skip_value(c, depth + 1);
    } while (took(c, ','));
    expect(c, close);
}

static void skip_value(cursor *c, int depth) {
    skip_blanks(c);
    if (c->bad || c->at >= c->end || depth > MAX_DEPTH) {
        c->bad = true;
    } else if (*c->at == '{' || *c->at == '[') {
        skip_members(c, *c->at == '{' ? '}' : ']', depth);
    } else if (*c->at == '"') {
        read_string(c, NULL, 0);
    } else { /* a number, true, false, null: letters up to what ends a value */
        const char *start = c->at;
        while (c->at < c->end && !strchr(",]} \n\r\t", *c->at)) {
            c->at++;
        }
        c->bad = c->at == start;
    }
}

static void read_ranges(cursor *c, const char *stream, hr_range_function each, void *context) {
    expect(c, '[');
    if (took(c, ']')) {
        return;
    }
    do {
        expect(c, '[');
        uint64_t first = read_number(c);
        expect(c, ',');
        uint64_t last = read_number(c);
        expect(c, ']');
        if (each && !c->bad) {
            each(context, stream, first, last);
        }
    } while (took(c, ','));
    expect(c, ']');
}

typedef struct {
    char stream[STREAM];
    bool has_stream, has_crc, has_reason;
    cursor ranges; /* where they begin */
    uint32_t crc;
    char *reason;
    size_t reason_size;
} fields;

static void read_member(cursor *c, const char *key, fields *found) {
    skip_blanks(c);
    if (strcmp(key, "stream") == 0) {
        read_string(c, found->stream, STREAM);
        found->has_stream = true;
    } else if (strcmp(key, "ranges") == 0) {
        found->ranges = *c;
        read_ranges(c, NULL, NULL, NULL);
    } else if (strcmp(key, "crc") == 0) {
        uint64_t crc = read_number(c);
        c->bad = c->bad || crc > UINT32_MAX;
        found->crc = (uint32_t)crc;
        found->has_crc = true;
    } else if (strcmp(key, "reason") == 0) {
        read_string(c, found->reason, found->reason_size);
        found->has_reason = true;
    } else {
        skip_value(c, 1);
    }
}

static bool read_object(const void *payload, size_t length, fields *found) {
    cursor c = {payload, (const char *)payload + length, false};
    expect(&c, '{');
    if (!took(&c, '}')) {
        do {
            char key[8] = "";
            skip_blanks(&c);
            read_string(&c, key, sizeof key);
            expect(&c, ':');
            if (!c.bad) {
                read_member(&c, key, found);
            }
        } while (took(&c, ','));
        expect(&c, '}');
    }
    skip_blanks(&c);
    return !c.bad && c.at == c.end;
}

bool hr_read_ack(const void *payload, size_t length, hr_range_function each, void *context) {
    fields found;
    memset(&found, 0, sizeof found);
    if (!read_object(payload, length, &found) || !found.has_stream || !found.ranges.at) {
        return false;
    }
    read_ranges(&found.ranges, found.stream, each, context);
    return true;
}

bool hr_read_nack(const void *payload, size_t length, uint32_t *crc, char *reason, size_t size) {
    fields found;
    memset(&found, 0, sizeof found);
    found.reason = reason;
    found.reason_size = size;
    if (!read_object(payload, length, &found) || !found.has_crc || !found.has_reason) {
        return false;
    }
    *crc = found.crc;
    return true;
}
