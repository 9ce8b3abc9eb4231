"""The MQTT side of the gateway, behind one port.

Reading order: ``port`` (what a broker must do), ``config``, ``reception`` (what becomes of messages),
``auth`` (who may do what), ``passwords`` and ``keepers`` (who is who), ``door`` (in front of the embedded
one), ``plugins`` (amqtt's side of it), ``embedded`` (amqtt in this process),
``external`` (mosquitto or any other broker: ``mqtt5/``, or ``mqtt311`` where it speaks no MQTT 5).
"""
