"""The edge gateway of one site: broker, ingest, journal, inference, rules, sinks, console."""
