"""Readings by HTTP: for what does not speak MQTT (Telegraf, InfluxDB's clients, scripts, web hooks).

A listener of its own, because the console's has no login. Reading order: ``config``, ``tokens`` (who may
write for whom), ``credentials`` (where a request says so), ``headrace.http_guard`` (what a connection may do before there
is a request), ``body`` (bounded), ``split`` (lines to devices), ``handover`` (to the journal and back),
``answers``, ``desk`` (what all go through),
``influx`` and ``readings`` (the paths), ``openapi`` (what they are, for people and programs), ``app``.
"""
