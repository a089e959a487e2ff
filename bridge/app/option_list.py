"""Lists what a backend's options are and what they are set to, for `xmpp-bridge check --options`."""

from __future__ import annotations

import inspect
from typing import Any

import msgspec

from bridge.app.config_errors import key_path, shown
from bridge.app.config_expect import expected, is_secret_field
from bridge.app.config_models import GatewayConfig


def option_list(gateway: GatewayConfig) -> str:
    """The options' table, their explanation, and each with its value and what it takes. No secrets."""
    options: Any = gateway.options
    lines = [f"[{key_path(('gateway', gateway.domain, 'options'))}]"]
    lines += [f"# {line}".rstrip() for line in (inspect.getdoc(type(options)) or "").splitlines()]
    for field in msgspec.structs.fields(type(options)):
        value = msgspec.to_builtins(getattr(options, field.name))
        secret = is_secret_field(field.encode_name, field.type)
        text = shown(value, secret)
        if isinstance(value, list | tuple) and all(isinstance(each, str | int) for each in value):
            text = f"[{', '.join(shown(each, secret) for each in value)}]"
        lines.append(f"{field.encode_name} = {text}    # {expected(field.type)}")
    return "\n".join(lines)
