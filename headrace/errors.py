"""Errors of all three programs.

::

    HeadraceError                 .hint: what to do about it   .retryable: does it heal by itself?
    ├── ConfigError               the user's configuration is wrong; exit status 2
    ├── UsageError                a command was asked for something impossible; exit status 2
    ├── PayloadError              a batch is refused for good: nack and quarantine, with .reason
    ├── StorageError              a local file (buffer, journal, landing zone) failed      retryable
    │   ├── StorageFull           no space or over the configured budget                    retryable
    │   └── StorageCorrupt        what was read is not what was written
    ├── TransportError            broker or network is away                                 retryable
    ├── EnrolmentError            a certificate is refused, with .reason
    ├── RequestError              an HTTP request for readings is answered with .status
    ├── InputError                a source of readings does not answer                      retryable
    ├── SinkError
    │   ├── SinkUnavailable       the destination is away; keep and try again               retryable
    │   └── SinkRefused           the destination will never take this
    ├── LakeError
    │   ├── LakeUnavailable       object store or catalogue is away                         retryable
    │   │   └── CommitConflict    another writer was first: read again, then decide         retryable
    │   ├── CommitUnknown         the answer to a commit was lost: read back, then decide   retryable
    │   ├── MetadataLost          the catalogue names metadata of a table that is not there
    │   ├── FilesRefused          the table does not take these files; it may take others
    │   └── LakeNewer             written by a later version of Headrace: nothing is wrong with it
    ├── ModelError                a model file or its card is unusable
    │   └── ModelUntrusted        signatures, versions or expiry of the model repository do not hold
    └── QueryError                a SQL statement cannot be answered
        └── QueryStopped          it was ended before its end: by its time limit, or by who asked

``retryable`` belongs to the type, so that a supervisor decides without reading messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

EXIT_FAILURE = 1
EXIT_USAGE = 2

RefusalReason = Literal[
    "broken_frame",
    "too_large",
    "bomb",
    "bad_schema",
    "bad_value",
    "bad_identity",
    "bad_topic",
    "unknown_format",
    "over_limit",
]

EnrolmentReason = Literal["bad_request", "bad_code", "taken", "wrong_device", "revoked", "too_many"]


class HeadraceError(Exception):
    """Base of every error that Headrace raises on purpose.

    Args:
        message: what happened, what was expected and what was found.
        hint: what the reader can do about it, usually a command.
    """

    retryable: ClassVar[bool] = False
    exit_status: ClassVar[int] = EXIT_FAILURE

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a configuration: where it stands and what is wrong."""

    key: str
    problem: str

    def __str__(self) -> str:
        return f"{self.key}: {self.problem}" if self.key else self.problem


class ConfigError(HeadraceError):
    """A configuration has one or more faults; all of them are listed."""

    exit_status = EXIT_USAGE

    def __init__(self, source: str, faults: Sequence[Fault], *, hint: str = "") -> None:
        self.source = source
        self.faults = tuple(faults)
        count = len(self.faults)
        lines = [f"{source}: {count} fault{'s' if count != 1 else ''}"]
        lines += [f"  {fault}" for fault in self.faults]
        super().__init__("\n".join(lines), hint=hint)

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class UsageError(HeadraceError):
    """A command was asked for something that cannot be done as asked."""

    exit_status = EXIT_USAGE


class PayloadError(HeadraceError):
    """A batch is refused for good; ``reason`` is the label of the counter and of the nack."""

    def __init__(self, reason: RefusalReason, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reason: RefusalReason = reason


class StorageError(HeadraceError):
    """A local file failed; nothing that was confirmed before is affected."""

    retryable = True


class StorageFull(StorageError):
    """The disk is full or a configured budget is used up."""


class StorageCorrupt(StorageError):
    """What was read is not what was written."""

    retryable = False


class TransportError(HeadraceError):
    """The broker or the network is away."""

    retryable = True


class InputError(HeadraceError):
    """A source of readings (sensor, device, command, local broker) did not answer."""

    retryable = True


class EnrolmentError(HeadraceError):
    """A device does not get a certificate; ``reason`` decides the HTTP status."""

    def __init__(self, reason: EnrolmentReason, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reason: EnrolmentReason = reason


class RequestError(HeadraceError):
    """A request that brings readings is not taken; ``retry_after_s`` where it may come again."""

    def __init__(
        self, status: int, message: str, *, hint: str = "", retry_after_s: int | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.retry_after_s = retry_after_s


class SinkError(HeadraceError):
    """A destination did not take readings."""


class SinkUnavailable(SinkError):
    """The destination is away or overloaded; keep the batch and try again."""

    retryable = True


class SinkRefused(SinkError):
    """The destination will never take this batch."""


class LakeError(HeadraceError):
    """Object store or catalogue did not do what was asked."""


class LakeUnavailable(LakeError):
    """Object store or catalogue is away; nothing was changed."""

    retryable = True


class CommitConflict(LakeUnavailable):
    """Another writer was first, and nothing was changed: what is left to do must be decided anew."""


class CommitUnknown(LakeError):
    """The answer to a commit was lost; the table must be read back before trying again."""

    retryable = True


class MetadataLost(LakeError):
    """The catalogue names metadata of a table that is not there; older metadata may be."""


class FilesRefused(LakeError):
    """Data files do not fit into the table; nothing was changed, and others may fit."""


class LakeNewer(LakeError):
    """What a later version has written, and this one must not touch; updating mends it."""


class ModelError(HeadraceError):
    """A model file or its card is unusable."""


class ModelUntrusted(ModelError):
    """What the model repository gave is not what its keys have signed, or no longer."""


class QueryError(HeadraceError):
    """A SQL statement cannot be answered."""

    exit_status = EXIT_USAGE


class QueryStopped(QueryError):
    """A SQL statement was ended before its end."""

    exit_status = EXIT_FAILURE
