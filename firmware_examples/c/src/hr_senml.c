#include "hr_senml.h"

#include <string.h>

/* CBOR's labels of SenML (RFC 8428, table 4). */
enum { LABEL_BN = -2, LABEL_BT = -3, LABEL_N = 0, LABEL_U = 1, LABEL_V = 2, LABEL_T = 6 };
enum { CBOR_NEGATIVE = 0x20, CBOR_TEXT = 0x60, CBOR_MAP = 0xa0, CBOR_ARRAY_OPEN = 0x9f };
enum { CBOR_FLOAT32 = 0xfa, CBOR_FLOAT64 = 0xfb, CBOR_BREAK = 0xff };

const char *hr_format_name(hr_format format) {
    return format == HR_JSON ? "senml-json" : "senml-cbor";
}

/* --- bytes ----------------------------------------------------------------------------------- */

static void put_byte(hr_pack *pack, uint8_t byte) {
    if (pack->used + 1 >= pack->size) { /* one byte stays free for the end of the pack */
        pack->failed = true;
        return;
    }
    pack->data[pack->used++] = byte;
}

static void put_text(hr_pack *pack, const char *text) {
    while (*text) {
        put_byte(pack, (uint8_t)*text++);
    }
}

static uint64_t magnitude(int64_t number) {
    return number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
}

/* A number with its decimals; trailing zeros are taken off first. */
typedef struct {
    int64_t mantissa;
    int decimals;
} decimal;

static decimal shortest(int64_t mantissa, int decimals) {
    while (decimals > 0 && mantissa % 10 == 0) {
        mantissa /= 10;
        decimals--;
    }
    decimal number = {mantissa, decimals};
    return number;
}

/* --- JSON ------------------------------------------------------------------------------------ */

static void json_digits(hr_pack *pack, uint64_t number, int decimals) {
    char digits[24];
    int count = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number || count <= decimals);
    while (count) {
        if (count == decimals) {
            put_byte(pack, '.');
        }
        put_byte(pack, (uint8_t)digits[--count]);
    }
}

static void json_number(hr_pack *pack, decimal number) {
    if (number.mantissa < 0) {
        put_byte(pack, '-');
    }
    json_digits(pack, magnitude(number.mantissa), number.decimals);
}

static void json_string(hr_pack *pack, const char *text) {
    put_byte(pack, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') {
            put_byte(pack, '\\');
        }
        put_byte(pack, (uint8_t)*text < ' ' ? ' ' : (uint8_t)*text);
    }
    put_byte(pack, '"');
}

static void json_head(hr_pack *pack) {
    if (*pack->prefix) {
        put_text(pack, "\"bn\":");
        json_string(pack, pack->prefix);
        put_byte(pack, ',');
    }
    if (pack->base_s) {
        put_text(pack, "\"bt\":");
        json_number(pack, (decimal){pack->base_s, 0});
        put_byte(pack, ',');
    }
    put_text(pack, "\"stream\":");
    json_string(pack, pack->stream);
    put_text(pack, ",\"seq\":");
    json_digits(pack, pack->seq, 0);
    put_byte(pack, ',');
}

static void json_record(hr_pack *pack, const hr_series *series, decimal time, decimal value) {
    put_text(pack, pack->count ? ",{" : "[{");
    if (!pack->count) {
        json_head(pack);
    }
    put_text(pack, "\"n\":");
    json_string(pack, series->name);
    if (*series->unit) {
        put_text(pack, ",\"u\":");
        json_string(pack, series->unit);
    }
    if (time.mantissa) {
        put_text(pack, ",\"t\":");
        json_number(pack, time);
    }
    put_text(pack, ",\"v\":");
    json_number(pack, value);
    put_byte(pack, '}');
}

/* --- CBOR ------------------------------------------------------------------------------------ */

static void cbor_big_endian(hr_pack *pack, uint64_t number, int bytes) {
    while (bytes--) {
        put_byte(pack, (uint8_t)(number >> (8 * bytes)));
    }
}

static void cbor_head(hr_pack *pack, int major, uint64_t number) {
    if (number < 24) {
        put_byte(pack, (uint8_t)(major + (int)number));
        return;
    }
    int power = number > UINT32_MAX ? 3 : number > UINT16_MAX ? 2 : number > UINT8_MAX ? 1 : 0;
    put_byte(pack, (uint8_t)(major + 24 + power));
    cbor_big_endian(pack, number, 1 << power);
}

static void cbor_integer(hr_pack *pack, int64_t number) {
    if (number < 0) {
        cbor_head(pack, CBOR_NEGATIVE, magnitude(number) - 1);
    } else {
        cbor_head(pack, 0, (uint64_t)number);
    }
}

static void cbor_string(hr_pack *pack, const char *text) {
    cbor_head(pack, CBOR_TEXT, strlen(text));
    put_text(pack, text);
}

/* The nearest double: both numbers are exact, so one division rounds once. Where double has 32 bits
 * (AVR) it is sent as what it is; use JSON there. */
static void cbor_number(hr_pack *pack, decimal number) {
    if (!number.decimals) {
        cbor_integer(pack, number.mantissa);
        return;
    }
    double power = 1;
    while (number.decimals--) {
        power *= 10;
    }
    double value = (double)number.mantissa / power;
    if (sizeof value == 8) {
        uint64_t bits = 0;
        memcpy(&bits, &value, sizeof value);
        put_byte(pack, CBOR_FLOAT64);
        cbor_big_endian(pack, bits, 8);
    } else {
        uint32_t bits = 0;
        memcpy(&bits, &value, sizeof bits);
        put_byte(pack, CBOR_FLOAT32);
        cbor_big_endian(pack, bits, 4);
    }
}

static void cbor_record(hr_pack *pack, const hr_series *series, decimal time, decimal value) {
    bool first = !pack->count;
    if (first) {
        put_byte(pack, CBOR_ARRAY_OPEN);
    }
    int pairs = 2 + (*series->unit != 0) + (time.mantissa != 0);
    pairs += first ? 2 + (*pack->prefix != 0) + (pack->base_s != 0) : 0;
    put_byte(pack, (uint8_t)(CBOR_MAP + pairs));
    if (first && *pack->prefix) {
        cbor_integer(pack, LABEL_BN);
        cbor_string(pack, pack->prefix);
    }
    if (first && pack->base_s) {
        cbor_integer(pack, LABEL_BT);
        cbor_integer(pack, pack->base_s);
    }
    if (first) {
        cbor_string(pack, "stream");
        cbor_string(pack, pack->stream);
        cbor_string(pack, "seq");
        cbor_head(pack, 0, pack->seq);
    }
    cbor_integer(pack, LABEL_N);
    cbor_string(pack, series->name);
    if (*series->unit) {
        cbor_integer(pack, LABEL_U);
        cbor_string(pack, series->unit);
    }
    if (time.mantissa) {
        cbor_integer(pack, LABEL_T);
        cbor_number(pack, time);
    }
    cbor_integer(pack, LABEL_V);
    cbor_number(pack, value);
}

/* --- packs ----------------------------------------------------------------------------------- */

void hr_pack_begin(hr_pack *pack, hr_format format, void *data, size_t size, const char *prefix,
                   const char *stream, uint64_t seq) {
    memset(pack, 0, sizeof *pack);
    pack->data = data;
    pack->size = size;
    pack->format = format;
    pack->prefix = prefix;
    pack->stream = stream;
    pack->seq = seq;
}

bool hr_pack_add(hr_pack *pack, const hr_series *series, bool absolute, int64_t time_us,
                 int32_t mantissa) {
    size_t used = pack->used;
    if (!pack->count) {
        pack->base_s = absolute ? time_us / 1000000 : 0;
    }
    decimal time = shortest(time_us - pack->base_s * 1000000, 6);
    decimal value = shortest(mantissa, series->decimals);
    if (pack->format == HR_JSON) {
        json_record(pack, series, time, value);
    } else {
        cbor_record(pack, series, time, value);
    }
    if (pack->failed) {
        pack->failed = false;
        pack->used = used;
        return false;
    }
    pack->count++;
    return true;
}

size_t hr_pack_end(hr_pack *pack) {
    if (!pack->count) {
        return 0;
    }
    pack->data[pack->used++] = pack->format == HR_JSON ? ']' : CBOR_BREAK;
    return pack->used;
}
