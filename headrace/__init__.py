"""What the three programs share: the contract between device, gateway and lake.

Reading order:

- ``errors``    the exception tree
- ``limits``    every bound, its default and its reason
- ``clock``     the clock port
- ``batch``     batch identity (device, stream, seq) and its validation
- ``ranges``    sets of sequence numbers as ranges
- ``pki``       names, codes and messages of enrolment
- ``topics``    MQTT topics of the wire contract
- ``wire``      acks, nacks, device state and Arrow metadata keys
- ``units``     the SenML unit registry
- ``derived``   names and texts of scores and alerts
- ``config``    typed TOML configuration, all faults at once
- ``cards``     model cards: what a .tflite file expects
- ``models``    signed model repository: manifest, assignments, verifying client
- ``plugins``   the one loader of inputs and sinks
- ``memory``    the C allocator of programs that move columns
- ``metrics``   every metric, in one table; ``metrics_guide``: what to do when one moves
- ``http_guard``  what a connection may do before there is a request (needs uvicorn: not for the agent)
- ``health``    asking a program on this machine whether it works
- ``codecs``    payload formats to Arrow columns (needs pyarrow: not for the agent)
- ``damage``    what a damaged journal costs: rows, and never those behind them
- ``sqlite``    what sqlite3 raises, as our errors
- ``journal``   the gateway journal's file format and its readers
- ``decodable``   rows that do not decode, as damaged ones (needs pyarrow: not for the agent)
- ``buffer_log``  the commit log beside an agent's buffer file, and how it is read
- ``buffer_stats``  counts of an agent's buffer file
- ``landing``   names and manifests of the landing zone
- ``resend``    how a registrar asks a site for a damaged landing
- ``lake``      object store, catalogue and columns of the lake (needs pyarrow: not for the agent)
- ``query``     SQL over lake, landing zone and journal tail
- ``grafana``   dashboards and what makes Grafana show them
- ``demo``      the whole system on one machine
- ``cli``       the ``headrace`` command
"""

__version__ = "0.1.0"
