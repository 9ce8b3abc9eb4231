"""Traces of the way of a group of batches, for whoever runs a collector.

Reading order: ``port`` (what is followed, and nothing), ``otel`` (spans of OpenTelemetry,
imported only where asked for), ``choose`` (which of the two).
"""
