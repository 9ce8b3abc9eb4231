"""The agent on an emulated 64 bit Raspberry Pi: ``make pi-test``."""
