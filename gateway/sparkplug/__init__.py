"""Sparkplug B: the gateway as a host application, and its nodes' metrics as readings.

Reading order: ``config``, ``names`` (topics, and which device a node is), ``births`` (what a session's names
mean), ``machine`` (who is born, and what has to be asked for; pure), ``host`` (messages in, arrivals and
commands out), ``client`` (the connection).

Why not through the site's other MQTT connection: a host application is known by its last will
(``STATE``) and must begin with a clean session, while the gateway's own session is persistent.
"""

from gateway.sparkplug.config import SparkplugConfig, check_sparkplug

__all__ = ["SparkplugConfig", "check_sparkplug"]
