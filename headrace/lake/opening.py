"""Which store a configuration names."""

from __future__ import annotations

from headrace.lake.config import Lake
from headrace.lake.store import LocalStore, Store


def open_store(lake: Lake) -> Store:
    """The store; connects to nothing yet. boto3 is imported only for S3: it takes 0.3 s."""
    if lake.is_s3:
        from headrace.lake.s3 import S3Store

        return S3Store(lake)
    return LocalStore(lake.folder)
