"""What differs between two configurations, and whether it can be changed while the gateway runs. Pure.

Everything that is one consumer behind the journal can be exchanged at a batch boundary; so can sources,
which give back what the journal has not, and the journal's limits. What has been opened, joined or promised at
the start (the journal itself, listening sockets, the broker, certificates, the repository of models) is not
touched: a reload that names such a key is refused as a whole, because half a configuration is one that nobody
has written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Final

from gateway.config import GatewayConfig, build_sinks, build_sources
from gateway.inference import ModelConfig
from gateway.inference.consumer import thresholds
from gateway.models.config import fixed_names
from headrace.limits.process import SECRET_MAX_BYTES

#: Keys of gateway.toml that may change while the gateway runs.
CHANGEABLE: Final = frozenset(
    {
        "rules", "builtin_rules", "notify", "sinks", "sources", "sparkplug", "models", "vitals",
        "journal", "limits", "log",
    }
)  # fmt: skip

#: And those below them that may not: a promise to the devices.
FIXED: Final = frozenset({"journal.ack_after"})


@dataclass(frozen=True, slots=True)
class Changes:
    """Names of consumers and ways in, and the keys that forbid a reload."""

    refused: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    exchanged: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return any((self.added, self.removed, self.exchanged, self.failed, self.limits))

    def lines(self) -> tuple[str, ...]:
        """For people."""
        said = [
            f"{verb} {name}"
            for verb, names in (
                ("started", self.added), ("stopped", self.removed),
                ("changed", self.exchanged), ("started again", self.failed),
                ("changed", self.limits),
            )
            for name in names
        ]  # fmt: skip
        return tuple(said) or ("nothing has changed",)


def settings_of(config: GatewayConfig) -> dict[str, bytes]:
    """Each exchangeable consumer's and way in's name, and a fingerprint of all that it is made from.

    Secrets and lists stand in files beside the configuration: a token that was renewed is a change; so are
    the files of a model.
    """
    made: dict[str, Any] = {}
    if config.models:
        made["inference"] = tuple((model, *_files(model)) for model in config.models)
    if config.all_rules:
        made["rules"] = (config.all_rules, sorted(thresholds(config.models).items()))
    if config.notify:
        made["notify"] = config.notify
    for name, plugin, settings in build_sinks(config):
        made[f"sink/{name}"] = (plugin.package, settings)
    if config.vitals.enabled:
        made["vitals"] = config.vitals
    for name, plugin, settings in build_sources(config):
        made[f"source/{name}"] = (plugin.package, settings)
    if config.sparkplug.enabled:
        made["sparkplug"] = config.sparkplug
    return {name: hashlib.sha256("\n".join(_parts(each)).encode()).digest() for name, each in made.items()}  # fmt: skip


def _files(model: ModelConfig) -> list[tuple[str, int, int]]:
    """What tells that a model was put into the place of another."""
    found = []
    for path in sorted(model.folder.glob("model.*")):
        stat = path.stat()
        found.append((path.name, stat.st_size, stat.st_mtime_ns))
    return found


def _parts(value: Any) -> Iterator[str]:
    if is_dataclass(value):
        for field in fields(value):
            yield field.name
            yield from _parts(getattr(value, field.name))
    elif isinstance(value, tuple | list):
        for each in value:
            yield from _parts(each)
    elif isinstance(value, Path):
        yield str(value)
        yield _contents(value)
    else:
        yield repr(value)


def _contents(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.sha256(file.read(SECRET_MAX_BYTES)).hexdigest()
    except OSError:
        return ""


def between(
    old: GatewayConfig, new: GatewayConfig, before: Mapping[str, bytes], after: Mapping[str, bytes]
) -> Changes:
    """What has changed; ``before`` and ``after`` are their ``settings_of``."""
    return Changes(
        refused=tuple(key for key in _keys(old, new) if not _may_change(key, old, new)),
        added=tuple(name for name in after if name not in before),
        removed=tuple(name for name in before if name not in after),
        exchanged=tuple(name for name in after if name in before and after[name] != before[name]),
        limits=tuple(
            key for key in _keys(old, new) if key.startswith(("journal.", "limits.", "log."))
        ),
    )


def _may_change(key: str, old: GatewayConfig, new: GatewayConfig) -> bool:
    if key == "models":
        # Their names are kept from the repository, which learns them at the start.
        same = fixed_names(old.models) == fixed_names(new.models)
        return same or not new.model_repository.enabled
    if key == "sparkplug.enabled":
        # One client more at a broker elsewhere needs a certificate of its own, made at the start.
        return new.broker.kind == "embedded" or not new.broker.with_certificates
    return key.split(".")[0] in CHANGEABLE and key not in FIXED


def _keys(old: Any, new: Any, key: str = "") -> Iterator[str]:
    """The keys whose values differ, as they stand in the file."""
    if not is_dataclass(old) or type(old) is not type(new):
        if old != new:
            yield key
        return
    for field in fields(old):
        name = f"{key}.{field.name}" if key else field.name
        yield from _keys(getattr(old, field.name), getattr(new, field.name), name)
