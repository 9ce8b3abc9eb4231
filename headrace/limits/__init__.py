"""Every bound of the system, its default and the reason for it.

Nothing in Headrace grows without a bound (rule 5 of docs/design.md), and the bounds stand here and
nowhere else. Configuration may lower or raise those that a key refers to; the others are fixed.

- ``sizes``        units of bytes
- ``wire``         a batch on the wire, and what decoding it may cost
- ``agent``        the agent: buffer, uplink, memory
- ``inputs``       the agent's inputs
- ``broker``       the brokers: what the embedded one bears, and what we ask of an external one
- ``ingest``       from arrival to commit: inbox, limits of devices, group commit, journal
- ``http``         the HTTP ingest
- ``sources``      other ways in: Sparkplug and Kafka
- ``consumers``    what reads the feed: inference, rules, schema, notifications, vitals
- ``console``      the live view and the console
- ``sinks``        destinations, and their lanes
- ``enrolment``    codes, certificates, revocation
- ``process``      a program as a whole: memory, stop, reload, traces, health
- ``lake``         landing, registering
- ``imports``      import jobs: how other systems are asked
- ``maintain``     compaction, expiry, removal and retention in the lake
- ``compute``      the batch layer
- ``catalog``      the table of series, and what is shown of tables
- ``quality``      what is looked at together, and from where on it is remarkable
- ``query``        asking
- ``models``       models in their repository: publishing, signing, training
- ``edge_models``  models where they run: trial, gates, processes
"""
