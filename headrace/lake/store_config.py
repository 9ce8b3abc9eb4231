"""What each kind of object store is told: its table below ``[lake]``.

Secrets stand in files of their own, or are left to the cloud's own chain; never in the configuration.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from headrace.errors import ConfigError, Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class S3:
    """``[lake.s3]``: empty values are left to boto3's and Arrow's own chain (environment, roles)."""

    endpoint: str = ""
    region: str = "us-east-1"
    access_key_file: Path | None = None
    secret_key_file: Path | None = None

    def keys(self) -> tuple[str, str] | None:
        """Access key and secret from their files; None where they are left to the chain."""
        if self.access_key_file is None or self.secret_key_file is None:
            return None
        return read_secret(self.access_key_file), read_secret(self.secret_key_file)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gcs:
    """``[lake.gcs]``: the credential comes from Google's own chain; ``anonymous`` is for emulators."""

    endpoint: str = ""
    project: str = ""
    anonymous: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Azure:
    """``[lake.azure]``: a key, a shared access signature, or Azure's own chain.

    ``endpoint`` is the blob service's address with the account where that is a folder of it.
    """

    endpoint: str = ""
    account_key_file: Path | None = None
    sas_token_file: Path | None = None

    def secret(self) -> tuple[Literal["key", "sas", ""], str]:
        """Which secret there is, and its text; empty where it is left to the chain."""
        if self.account_key_file is not None:
            return "key", read_secret(self.account_key_file)
        if self.sas_token_file is not None:
            return "sas", read_secret(self.sas_token_file).lstrip("?")
        return "", ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hdfs:
    """``[lake.hdfs]``: where core-site.xml and hdfs-site.xml are, if not in HADOOP_CONF_DIR."""

    config_folder: Path | None = None


def read_secret(path: Path) -> str:
    """The one line of a secret's file."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), [Fault("", f"cannot be read: {error}")]) from error
