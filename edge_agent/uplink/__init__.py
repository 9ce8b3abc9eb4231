"""Gets batches to the gateway.

Reading order: ``machine`` (the rules), ``mqtt`` (the client), ``filling`` (what goes out next), ``driver``.
"""
