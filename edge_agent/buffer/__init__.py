"""The device's durable buffer. Reading order: ``schema``, ``files``, ``store``, ``coalesce``, ``inspect``."""
