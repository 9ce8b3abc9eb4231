#pragma once
#include <stddef.h>
#include <stdint.h>
struct WiFiClientSecure {
    int connect(const char *host, uint16_t port);
    uint8_t connected();
    int available();
    int read(uint8_t *data, size_t length);
    size_t write(const uint8_t *data, size_t length);
    void stop();
    void setCACert(const char *pem);
    void setCertificate(const char *pem);
    void setPrivateKey(const char *pem);
};
