"""The device's durable buffer.

Reading order: ``batches`` (what is stored), ``schema`` (the file and its promises), ``files``,
``tables`` (the SQLite side), ``log`` (the commit log), ``meter``, ``commits`` (where a commit goes),
``thin``, ``room`` (what makes room in a full buffer), ``store`` (the whole, locked), ``coalesce``,
``inspect``.
"""
