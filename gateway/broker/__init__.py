"""The MQTT side of the gateway, behind one port.

Reading order: ``port`` (what a broker must do), ``config``, ``reception`` (what becomes of messages),
``auth`` (who may do what), ``passwords`` and ``keepers`` (who is who).
The embedded broker: ``crowd`` and ``listener`` (who gets a connection), ``streams`` and ``websocket`` (its
bytes), ``packets``, ``budget`` and ``turnstile`` (what comes through, and when), ``takeovers`` (who fights over a client id), ``door`` (all of it, in front of
amqtt), ``plugins`` (amqtt's side of it), ``embedded`` (amqtt in this process).
The other kind: ``external`` (mosquitto or any other broker: ``mqtt5/``, or ``mqtt311`` where it speaks no
MQTT 5; ``terms``: what it must grant; ``paho``: what clients over paho share).
"""
