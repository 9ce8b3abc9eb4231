"""Sinks: where a site's readings go besides the lake.

Reading order:

- ``config``     what every sink can be told
- ``port``       what a sink is: accept, reject, keep
- ``consumer``   a sink behind a journal cursor
- ``parts``      batches in parts that a destination takes in one message
- ``apart``      readings whose time cannot be right, held back
- ``columns``    batches side by side, for sinks that write rows
- ``search``     which of the refused ones are bad
- ``senml``      columns to SenML records, for JSON; ``texts``: what it shares with files
- ``secret``     a password or token in a file
- ``influxdb/``  InfluxDB 1.x, 2.x and 3.x, VictoriaMetrics
- ``postgres/``  PostgreSQL, TimescaleDB
- ``webhook/``   CloudEvents over HTTP
- ``file/``      files in a folder
- ``kafka/``     Kafka, as Arrow or Avro
- ``mqtt/``      another broker: a second gateway, or JSON for third parties
"""

from gateway.sinks.config import SinkSettings, check_names

__all__ = ["SinkSettings", "check_names"]
