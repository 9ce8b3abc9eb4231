"""What programs share that send spans of OpenTelemetry.

Reading order: ``config``, ``choose`` (whether anybody asks), ``provider`` (spans as OTLP; imported only then),
``ring`` (which batches came from which trace of the gateway, for the process that lands them).
"""
