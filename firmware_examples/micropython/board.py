"""What differs from board to board: sensors, Wi-Fi, time. Change this file, leave the others.

Works on ESP32 and Pico W with MicroPython 1.22 or newer. ``SERIES`` names what is measured, with its
SenML unit and decimals; only ever append to it while readings wait in the ring.
"""

import time

SERIES = [["temperature", "Cel", 4], ["soil", "%RH", 1]]

_TEMPERATURE_PIN = 4  # DS18B20, data
_SOIL_PIN = 26  # capacitive probe; 34 on an ESP32
_SOIL_DRY, _SOIL_WET = 52000, 21000  # read_u16 in air and in water: measure yours


def make_sampler():
    """The function that reads the sensors: [(index in SERIES, mantissa), …]."""
    import ds18x20
    import machine
    import onewire

    wire = ds18x20.DS18X20(onewire.OneWire(machine.Pin(_TEMPERATURE_PIN)))
    sensors = wire.scan()
    soil = machine.ADC(_SOIL_PIN)

    def sample():
        share = (_SOIL_DRY - soil.read_u16()) * 1000 // (_SOIL_DRY - _SOIL_WET)
        rows = [(1, max(0, min(1000, share)))]
        if sensors:
            rows.append((0, round(wire.read_temp(sensors[0]) * 16) * 625))  # steps of 1/16 degree
            wire.convert_temp()  # takes 750 ms; read at the next round
        return rows

    if sensors:
        wire.convert_temp()
    return sample


def before_connect(wifi):
    """Bring up Wi-Fi and ask for the time: microseconds since 1970 UTC, or None."""
    import network
    import ntptime

    station = network.WLAN(network.STA_IF)
    station.active(True)
    if not station.isconnected():
        station.connect(wifi["ssid"], wifi["password"])
        deadline = time.ticks_add(time.ticks_ms(), 8000)
        while not station.isconnected():
            if time.ticks_diff(deadline, time.ticks_ms()) < 0:
                raise OSError("no Wi-Fi")
            time.sleep_ms(100)
    try:
        ntptime.settime()
    except OSError:
        return None  # a site without NTP: readings travel with relative times
    return utc_us()


def utc_us():
    """The board's clock in microseconds since 1970, whichever year it counts from."""
    # Whole seconds: a float of 32 bits has no room for more, an integer has.
    since = 946684800 if time.gmtime(0)[0] == 2000 else 0
    return (int(time.time()) + since) * 1000000
