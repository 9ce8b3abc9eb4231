"""The edge gateway of one site.

Reading order:

- ``pipeline``   the path of a batch, in order
- ``config``     gateway.toml
- ``broker/``    MQTT: embedded or external
- ``enrol/``     the site's CA and who may connect; ``enrolment``: the same while running
- ``api/``       readings by HTTP
- ``ingest/``    message to columns, dedup, what waits for the journal
- ``sparkplug/``, ``sources/``   more ways in: Sparkplug B, Kafka
- ``journal/``   the one writer, and what it keeps
- ``worker``     the thread that commits
- ``acks``       what a device is told, and when
- ``feed``       committed batches for everyone behind the journal
- ``tracing/``   what a trace follows of all this
- ``consumer``   their port; ``lanes`` says what each reads next, ``runner`` drives them
- ``inference/``, ``rules/``, ``notify/``, ``schema/``, ``sinks/``, ``vitals/``   the consumers
- ``kafka_access``   what ways in and out share
- ``models/``    models of the signed repository: a consumer, and what brings versions to it
- ``clashes``    names that two have
- ``live/``, ``status``   the present; ``http``, ``console/`` show it behind a ``listener``
- ``assembly/``  makes the parts; ``app`` starts and stops them
- ``reload/``    what may change while it runs, and changes it; ``running``: who runs
- ``quarantine`` looks at refused payloads and replays them
- ``doctor/``    what a gateway needs, checked
- ``journal_tools/``   the journal seen from outside
- ``commands/``, ``cli``   the ``gateway`` command
"""
