"""Typed configuration from TOML: validated as a whole, every fault at once with file and key.

A configuration is a tree of frozen dataclasses. Field types may carry ``msgspec.Meta`` bounds::

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Uplink:
        host: str = "127.0.0.1"
        port: Annotated[int, Meta(ge=1, le=65535)] = 1883

Tables whose fields depend on a plugin are read as ``PluginTable`` and typed in a second step by
``headrace.plugins``. Nothing starts before ``load`` has returned.
"""

from __future__ import annotations

import difflib
import tomllib
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from headrace.errors import ConfigError, Fault

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PluginTable:
    """One ``[[inputs]]`` or ``[[sinks]]`` table: the plugin's name and its own settings, untyped."""

    key: str
    plugin: str
    settings: Mapping[str, Any]


class FaultList:
    """Collects faults while a configuration is read."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def add(self, key: str, problem: str) -> None:
        self.faults.append(Fault(key, problem))

    def add_missing_files(self, settings: object, key: str, *names: str) -> None:
        """A fault for each of these keys of a table that names a file which is not there."""
        for name in names:
            path: Path | None = getattr(settings, name)
            if path is not None and not path.is_file():
                self.add(_join(key, name), f"no such file: {path}")


def load(path: Path, kind: type[T], *, check: Callable[[T, FaultList], None] | None = None) -> T:
    """Read and validate a TOML file.

    Args:
        path: the file.
        kind: a frozen dataclass.
        check: looks at what single fields cannot say; called only when every field is sound.

    Raises:
        ConfigError: with every fault; also when the file cannot be read.
    """
    return load_text(_read(path), kind, source=str(path), check=check)


def load_text(
    text: str, kind: type[T], *, source: str, check: Callable[[T, FaultList], None] | None = None
) -> T:
    """Like ``load``, for text that has been read already."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(source, [Fault("", f"not valid TOML: {error}")]) from error
    found = FaultList()
    value = read_table(kind, data, "", found)
    if value is not None and check is not None and not found.faults:
        check(value, found)
    if found.faults or value is None:
        raise ConfigError(source, found.faults)
    return value


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(
            str(path),
            [Fault("", "no such file")],
            hint="write one with the sample-config command, or name another with --config",
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), [Fault("", f"cannot be read: {error}")]) from error


def read_table(kind: type[T], data: Any, key: str, found: FaultList) -> T | None:
    """One table as ``kind``; None when it has faults, which are added to ``found``."""
    if not isinstance(data, Mapping):
        found.add(key, f"expected a table, got {_describe(data)}")
        return None
    before = len(found.faults)
    hints = get_type_hints(kind, include_extras=True)
    known: dict[str, Field[Any]] = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    for name in sorted(data.keys() - known.keys()):
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known))}"
        found.add(_join(key, name), f"unknown key; {hint}")
    values: dict[str, Any] = {}
    for name, field in known.items():
        if name in data:
            values[name] = _read_value(hints[name], data[name], _join(key, name), found)
        elif field.default is MISSING and field.default_factory is MISSING:
            found.add(_join(key, name), "missing; this key has no default")
    return kind(**values) if len(found.faults) == before else None


def _read_value(kind: Any, data: Any, key: str, found: FaultList) -> Any:
    inner = _without_none(kind)
    if is_dataclass(inner):
        return read_table(inner, data, key, found)  # type: ignore[arg-type]
    if get_origin(inner) is tuple and get_args(inner)[-1] is Ellipsis:
        item = get_args(inner)[0]
        if item is PluginTable or is_dataclass(item):
            return _read_tables(item, data, key, found)
    try:
        return msgspec.convert(data, kind, dec_hook=_decode_path)
    except msgspec.ValidationError as error:
        found.add(key, f"{_plain(str(error))}, got {_describe(data)}")
        return None


def _read_tables(item: Any, data: Any, key: str, found: FaultList) -> tuple[Any, ...]:
    if not isinstance(data, list):
        found.add(key, f"expected an array of tables ([[{key}]]), got {_describe(data)}")
        return ()
    read = _read_plugin_table if item is PluginTable else _read_item
    values = [read(item, entry, f"{key}[{index}]", found) for index, entry in enumerate(data)]
    return tuple(value for value in values if value is not None)


def _read_item(item: Any, data: Any, key: str, found: FaultList) -> Any:
    return read_table(item, data, key, found)


def _read_plugin_table(_item: Any, data: Any, key: str, found: FaultList) -> PluginTable | None:
    if not isinstance(data, Mapping):
        found.add(key, f"expected a table, got {_describe(data)}")
        return None
    plugin = data.get("plugin")
    if not isinstance(plugin, str) or not plugin:
        found.add(_join(key, "plugin"), 'missing; name the plugin, for example plugin = "host"')
        return None
    return PluginTable(key, plugin, {name: data[name] for name in data if name != "plugin"})


def _decode_path(kind: Any, value: Any) -> Any:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise msgspec.ValidationError(f"Expected {getattr(kind, '__name__', kind)}")


def _without_none(kind: Any) -> Any:
    """``X`` for ``X | None``; anything else unchanged."""
    if get_origin(kind) in (Union, types.UnionType):
        rest = [part for part in get_args(kind) if part is not type(None)]
        if len(rest) == 1:
            return rest[0]
    return kind


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _plain(message: str) -> str:
    """msgspec's message without its own idea of path and value, which we know better."""
    text = message.split(" - at `")[0].split(", got `")[0]
    return text[:1].lower() + text[1:]


def _describe(value: Any) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}"
