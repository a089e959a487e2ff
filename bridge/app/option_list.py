"""Lists what a backend's options are and what they are set to, for `xmpp-bridge check --options`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import msgspec

from bridge.app import backends
from bridge.app.config_errors import key_path, shown
from bridge.app.config_expect import expected, is_secret_field
from bridge.app.config_models import GatewayConfig


def option_list(gateway: GatewayConfig) -> str:
    """The options' table, their explanation, and each with its value and what it takes. No secrets."""
    return _table(gateway.domain, type(gateway.options), lambda name: getattr(gateway.options, name))


def default_list(backend: str) -> str:
    """The same for a backend that no gateway uses yet, with the defaults. Raises UnknownBackend,
    BrokenBackend."""
    options = backends.load(backend).Options
    fields = {field.name: field for field in msgspec.structs.fields(options)}

    def default(name: str) -> Any:
        field = fields[name]
        if field.default_factory is not msgspec.NODEFAULT:
            return field.default_factory()
        return field.default

    return f"# backend = {shown(backend)}\n{_table(f'{backend}.example.com', options, default)}"


def _table(domain: str, options: type[Any], value_of: Callable[[str], Any]) -> str:
    lines = [f"[{key_path(('gateway', domain, 'options'))}]"]
    lines += [f"# {line}".rstrip() for line in (inspect.getdoc(options) or "").splitlines()]
    for field in msgspec.structs.fields(options):
        given = value_of(field.name)
        if given is msgspec.NODEFAULT:
            lines.append(f"# {field.encode_name} must be given    # {expected(field.type)}")
            continue
        value = msgspec.to_builtins(given)
        secret = is_secret_field(field.encode_name, field.type)
        text = shown(value, secret)
        if isinstance(value, list | tuple) and all(isinstance(each, str | int) for each in value):
            text = f"[{', '.join(shown(each, secret) for each in value)}]"
        lines.append(f"{field.encode_name} = {text}    # {expected(field.type)}")
    return "\n".join(lines)
