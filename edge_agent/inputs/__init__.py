"""Where readings come from.

Reading order: ``port``; ``values`` and ``sysfs``, which several inputs share; then a folder per plugin:
``host``, ``simulated``, ``replay``, ``iio``, ``hwmon``, ``w1``, ``modbus``, ``mqtt``, ``exec``.
"""
