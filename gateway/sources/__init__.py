"""Sources: where readings come from besides devices that speak to the gateway themselves.

Reading order: ``port`` (what a source is), ``kafka/``. A source is a plugin folder like a sink, found
through the entry points ``headrace.sources``.
"""
