#pragma once
typedef enum { WL_IDLE_STATUS = 0, WL_CONNECTED = 3, WL_DISCONNECTED = 6 } wl_status_t;
struct WiFiClass {
    wl_status_t begin(const char *ssid, const char *password);
    wl_status_t status();
};
extern WiFiClass WiFi;
