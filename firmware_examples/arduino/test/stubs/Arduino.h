// What the sketch uses of Arduino-ESP32, declared only: enough to check types, not to run.
#pragma once
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct HardwareSerial {
    void begin(unsigned long baud);
    size_t println(const char *text);
    size_t printf(const char *format, ...) __attribute__((format(printf, 2, 3)));
};
extern HardwareSerial Serial;

unsigned long millis();
void delay(uint32_t ms);
uint16_t analogRead(uint8_t pin);
long map(long value, long from_low, long from_high, long to_low, long to_high);
float temperatureRead();
void configTime(long offset_s, int daylight_s, const char *server1, const char *server2 = nullptr,
                const char *server3 = nullptr);
