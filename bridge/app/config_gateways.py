"""Reads the `[gateway."DOMAIN"]` tables: the domain, the secret, and the backend's own options."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from bridge.app import backends
from bridge.app.config_errors import Path, did_you_mean, key_path, shown
from bridge.app.config_models import GatewayConfig, GatewayTable, Secret, XmppSettings
from bridge.app.config_reading import Reader, Table

EXAMPLE = '[gateway."irc.example.com"]'
_DOMAIN = re.compile(r"(?!\.)(?!.*\.\.)[^\s@/\\\"'<>&:]+")


def secret_variable(domain: str) -> str:
    """The environment variable that may hold a gateway's secret."""
    return "XMPP_BRIDGE_SECRET_" + re.sub(r"[^A-Za-z0-9]", "_", domain).upper()


class Gateways:
    """Reads all gateways of one document; what is wrong goes to the reader's mistakes."""

    def __init__(self, reader: Reader, environ: Mapping[str, str]) -> None:
        self._reader = reader
        self._environ = environ

    def read(self, tables: object, xmpp: XmppSettings) -> tuple[GatewayConfig, ...]:
        """The gateways that could be read. `xmpp` has the values that they don't set themselves."""
        if not isinstance(tables, dict):
            self._reader.mistake(("gateway",), f"expected tables like {EXAMPLE}, found {shown(tables)}")
            return ()
        if not tables:
            self._reader.mistake(("gateway",), f"missing; expected at least one table like {EXAMPLE}")
        read: dict[str, GatewayConfig | None] = {}
        for name, table in tables.items():
            domain = name.lower().rstrip(".")
            if domain in read:
                self._reader.mistake(("gateway", name), f"the domain {domain} is there twice")
            read[domain] = self._gateway(name, domain, table, xmpp)
        return tuple(gateway for gateway in read.values() if gateway is not None)

    def _gateway(self, name: str, domain: str, table: object, xmpp: XmppSettings) -> GatewayConfig | None:
        path: Path = ("gateway", name)
        if isinstance(table, dict) and "backend" not in table and _only_tables(table):
            whole = ".".join([name, *_names(table)])
            self._reader.mistake(path, f'write the domain in quotes: [gateway."{whole}"]')
            return None
        if not _DOMAIN.fullmatch(domain):
            self._reader.mistake(path, f'expected a domain like "irc.example.com", found {shown(name)}')
        own = (
            {key: each for key, each in table.items() if key != "options"}
            if isinstance(table, dict)
            else table
        )
        read: GatewayTable | None = self._reader.table(GatewayTable, own, path, _below(own, path))
        if not isinstance(table, dict):
            return None
        secret = self._secret(domain, table, path)
        options = self._options(table, path)
        if read is None or secret is None or options is None:
            return None
        return GatewayConfig(
            domain=domain,
            backend=read.backend,
            secret=secret,
            xmpp=msgspec.structs.replace(xmpp, host=read.host or xmpp.host, port=read.port or xmpp.port),
            options=options,
            name=read.name,
            registration=read.registration,
            registration_required=read.registration_required,
            allowed_users=tuple(pattern.lower() for pattern in read.allowed_users),
            allow_private_networks=read.allow_private_networks,
        )

    def _secret(self, domain: str, table: Table, path: Path) -> Secret | None:
        """The component's secret; exactly one place may give it."""
        variable = secret_variable(domain)
        text, file = table.get("secret", ""), table.get("secret_file", "")
        if not (isinstance(text, str) and isinstance(file, str)):
            return None
        from_environment = self._environ.get(variable, "")
        places = {'"secret"': text, '"secret_file"': file, f"the environment's {variable}": from_environment}
        given = [place for place, value in places.items() if value]
        if len(given) > 1:
            self._reader.mistake((*path, "secret"), f"expected in one place, found in {' and '.join(given)}")
            return None
        if not given:
            self._reader.mistake((*path, "secret"), f"missing; expected one of {', '.join(places)}")
            return None
        if not file:
            return Secret(text or from_environment)
        value = self._reader.secret_file(file, (*path, "secret_file"))
        return Secret(value) if value is not None else None

    def _options(self, table: Table, path: Path) -> Any:
        """The backend's own options; None where something is wrong with them or with the backend."""
        name = table.get("backend")
        if not isinstance(name, str) or not name:
            return None
        try:
            factory = backends.load(name)
        except backends.UnknownBackend as error:
            found = f"found {shown(name)}{did_you_mean(name, error.known)}"
            self._reader.mistake((*path, "backend"), f"expected one of {', '.join(error.known)}, {found}")
            return None
        except backends.BrokenBackend as error:
            self._reader.mistake((*path, "backend"), str(error))
            return None
        above = dict.fromkeys(_keys(GatewayTable), f"it belongs in [{key_path(path)}]")
        return self._reader.table(factory.Options, table.get("options", {}), (*path, "options"), above)


def _keys(kind: type[msgspec.Struct]) -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(kind)]


def _below(table: object, path: Path) -> dict[str, str]:
    """Where the backend's options belong, for those that stand in the gateway's own table."""
    name = table.get("backend") if isinstance(table, dict) else None
    try:
        options = backends.load(name).Options if isinstance(name, str) else None
    except (backends.UnknownBackend, backends.BrokenBackend):
        return {}
    hint = f"it belongs in [{key_path((*path, 'options'))}]"
    return dict.fromkeys(_keys(options), hint) if options is not None else {}


def _only_tables(table: Table) -> bool:
    return bool(table) and all(isinstance(value, dict) for key, value in table.items() if key != "options")


def _names(table: Table) -> list[str]:
    """The rest of a domain that was written without quotes, and so became nested tables."""
    names = []
    while len(table) >= 1 and "backend" not in table:
        key = next(iter(table))
        names.append(key)
        inner = table[key]
        if not isinstance(inner, dict):
            break
        table = inner
    return names
