"""Lists what a backend's options are and what they are set to, for `xmpp-bridge check --options`: in the form
of TOML, with the tables that may be added."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from bridge.app import backends
from bridge.app.config_errors import Path, key_path, shown
from bridge.app.config_expect import Tables, expected, is_secret_field, tables_of
from bridge.app.config_models import GatewayConfig

Kind = type[msgspec.Struct]
ValueOf = Callable[[str], Any]

_NAME = "NAME"


def option_list(gateway: GatewayConfig) -> str:
    """The options' table, their explanation, and each with its value and what it takes. No secrets."""
    path: Path = ("gateway", gateway.domain, "options")
    return "\n".join(_table(path, type(gateway.options), _values(gateway.options)))


def default_list(backend: str) -> str:
    """The same for a backend that no gateway uses yet, with the defaults. Raises UnknownBackend,
    BrokenBackend."""
    path: Path = ("gateway", f"{backend}.example.com", "options")
    options = backends.load(backend).Options
    return "\n".join([f"# backend = {shown(backend)}", *_table(path, options, _defaults(options))])


def _values(table: msgspec.Struct) -> ValueOf:
    return lambda name: getattr(table, name)


def _defaults(kind: Kind) -> ValueOf:
    fields = {field.name: field for field in msgspec.structs.fields(kind)}

    def default(name: str) -> Any:
        field = fields[name]
        if field.default_factory is not msgspec.NODEFAULT:
            return field.default_factory()
        return field.default

    return default


def _table(path: Path, kind: Kind, value_of: ValueOf) -> Iterator[str]:
    """The options themselves, then the tables in them."""
    yield f"[{key_path(path)}]"
    yield from _explanation(kind)
    yield from _lines(kind, value_of)
    yield from _inner(path, kind, value_of)


def _inner(path: Path, kind: Kind, value_of: ValueOf) -> Iterator[str]:
    """The tables that are set, and of each kind of them what it takes."""
    for field in msgspec.structs.fields(kind):
        if (tables := tables_of(field.type)) is None:
            continue
        for header, table in _given((*path, field.encode_name), tables, value_of(field.name)):
            yield from ["", header, *_lines(type(table), _values(table))]
        for each in tables.kinds:
            yield from ["", *_sample((*path, field.encode_name), tables, each)]


def _given(path: Path, tables: Tables, value: Any) -> Iterator[tuple[str, msgspec.Struct]]:
    """The header and the table of each that is set."""
    if tables.shape == "named":
        for name, table in value.items():
            yield f"[{key_path((*path, name))}]", table
    elif tables.shape == "list":
        for table in value:
            yield f"[[{key_path(path)}]]", table
    elif isinstance(value, msgspec.Struct):
        yield f"[{key_path(path)}]", value


def _sample(path: Path, tables: Tables, kind: Kind) -> Iterator[str]:
    """What a table of this kind takes, as comments."""
    where = key_path((*path, _NAME) if tables.shape == "named" else path)
    yield f"# [[{where}]]" if tables.shape == "list" else f"# [{where}]"
    yield from _explanation(kind)
    for line in _lines(kind, _defaults(kind)):
        yield line if line.startswith("# ") else f"# {line}"


def _explanation(kind: Kind) -> list[str]:
    return [f"# {line}".rstrip() for line in (inspect.getdoc(kind) or "").splitlines()]


def _lines(kind: Kind, value_of: ValueOf) -> Iterator[str]:
    """A line for each option that is no table."""
    config = kind.__struct_config__
    if config.tag_field is not None:
        yield f"{config.tag_field} = {shown(config.tag)}"
    for field in msgspec.structs.fields(kind):
        if tables_of(field.type) is not None:
            continue
        takes, given = expected(field.type), value_of(field.name)
        if given is msgspec.NODEFAULT:
            yield f"# {field.encode_name} must be given    # {takes}"
        elif given is None:
            yield f"# {field.encode_name} is not set    # {takes}"
        else:
            secret = is_secret_field(field.encode_name, field.type)
            yield f"{field.encode_name} = {_value(msgspec.to_builtins(given), secret)}    # {takes}"


def _value(value: Any, secret: bool) -> str:
    if isinstance(value, list | tuple) and all(isinstance(each, str | int) for each in value):
        return f"[{', '.join(shown(each, secret) for each in value)}]"
    return shown(value, secret)
