"""Readings that come through a topic instead of a landing: what executors of a stream do (``messages``)."""
