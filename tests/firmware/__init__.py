"""Firmware on this machine: MicroPython's unix port, C under sanitizers, Cortex-M in an emulator.

Reading order: ``tools`` (what must be installed), ``link`` (a network cable that can be pulled),
``ledger`` (what a device sampled against what the gateway journalled).
"""
