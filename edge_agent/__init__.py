"""The program on the device: samples inputs, keeps readings on disk, hands them to the gateway.

Reading order:

- ``pipeline``     the path of a reading from an input to the broker, a call a line
- ``readings``     the columnar unit that an input yields
- ``inputs``       the input port, what inputs share, and a folder per plugin
- ``scheduler``    polls the inputs
- ``accumulator``  collects the runs of one input until they are sealed
- ``encode``       runs to one Arrow IPC stream in one zstd frame
- ``intake``       decides when readings are sealed and committed
- ``buffer``       the SQLite file that holds what the gateway has not acknowledged
- ``uplink``       sends batches, waits for acks, sends again
- ``models``       models at the device itself, where they are switched on
- ``identity``     boot id and clock state of this machine
- ``report``       counters as metrics and as the retained device state
- ``config``       the typed configuration
- ``notify``       tells systemd how the agent is
- ``app``          puts the parts together; start and stop order
- ``discover``     what this machine can measure
- ``cli``          the ``edge-agent`` command
"""
