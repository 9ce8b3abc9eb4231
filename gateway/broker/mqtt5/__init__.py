"""An MQTT 5 broker elsewhere, through asyncio and the packet codec ``mqtt5``.

Reading order: ``packets``, ``window`` (what is published and not acknowledged), ``connection`` (one TCP
connection: packets in, packets out), ``probe`` (whether a silent broker speaks MQTT 3.1.1), ``link`` (connect,
subscribe, lose, connect again).

Why not paho: it took 14 times the CPU per message (docs/decisions/0016-mqtt5-codec.md).
"""
