"""Where readings come from. Reading order: ``port``, then the plugins ``host``, ``simulated``, ``replay``."""
