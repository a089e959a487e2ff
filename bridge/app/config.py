"""The configuration: what the TOML document may hold, and what the rest of the program gets of it.

`load` tells all mistakes at once (`ConfigError`). Relative paths start at the folder of the file.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from bridge.app.config_errors import ConfigError, Mistake, hide_password, key_path, passwords_of
from bridge.app.config_expect import secrets_in, struct_of
from bridge.app.config_gateways import Gateways
from bridge.app.config_models import (
    ArchiveSettings,
    GatewayConfig,
    LimitSettings,
    LogSettings,
    XmppSettings,
)
from bridge.app.config_reading import Reader
from bridge.app.secret_files import FileFolder

DEFAULT_FILES = ("config.toml", "/etc/xmpp-bridge/config.toml")

_JID = Annotated[str, Meta(pattern=r"^[^@/\s]+@[^@/\s]+$", description='a bare JID like "admin@example.com"')]
_STORE_URL = Annotated[
    str,
    Meta(
        pattern=r"^$|^(sqlite|postgresql)(\+\w+)?://",
        description='a URL like "sqlite:////var/lib/xmpp-bridge/bridge.db" or "postgresql://user@host/database"',
    ),
]
_TOML_PLACE = re.compile(r"(.*) \(at (?:line (\d+), column (\d+)|(end of document))\)", re.DOTALL)


class _StoreTable(msgspec.Struct, frozen=True):
    url: _STORE_URL = ""
    key_file: str = ""


class _Document(msgspec.Struct, frozen=True):
    """The document; what is in `gateway` is read apart."""

    data_dir: str = ""
    admins: tuple[_JID, ...] = ()
    store: _StoreTable = _StoreTable()
    xmpp: XmppSettings = XmppSettings()
    log: LogSettings = LogSettings()
    archive: ArchiveSettings = ArchiveSettings()
    limits: LimitSettings = LimitSettings()
    gateway: dict[str, object] = {}


class Config(msgspec.Struct, frozen=True):
    """All that was configured, checked and with the defaults filled in. Safe to print."""

    file: Path
    data_dir: Path
    store_url: str
    key_file: Path
    xmpp: XmppSettings
    log: LogSettings
    admins: tuple[str, ...]
    archive: ArchiveSettings
    limits: LimitSettings
    gateways: tuple[GatewayConfig, ...]

    def __repr__(self) -> str:
        domains = ", ".join(gateway.domain for gateway in self.gateways)
        return f"Config({str(self.file)!r}, store {hide_password(self.store_url)!r}, {domains})"

    def secrets(self) -> tuple[str, ...]:
        """Every secret in it, for the log's filter."""
        found = [secret for gateway in self.gateways for secret in gateway.secrets()]
        return (*found, *passwords_of(self.store_url))


def load(file: Path, environ: Mapping[str, str] = os.environ) -> Config:
    """Read and check a configuration file. Raises ConfigError with every mistake in it."""
    document = _parsed(file)
    folder = FileFolder(file.absolute().parent)
    reader = Reader(folder, _elsewhere())
    tables = document.pop("gateway", {})
    rest = reader.table(_Document, document, ())
    xmpp = _placed(rest.xmpp if rest is not None else XmppSettings(), folder)
    gateways = Gateways(reader, environ).read(tables, xmpp)
    if reader.mistakes or rest is None:
        raise ConfigError(str(file), reader.mistakes)
    data_dir = folder.path(rest.data_dir) if rest.data_dir else _default_data_dir(environ)
    return Config(
        file=file,
        data_dir=data_dir,
        store_url=rest.store.url or f"sqlite:///{data_dir / 'bridge.db'}",
        key_file=folder.path(rest.store.key_file) if rest.store.key_file else data_dir / "vault.key",
        xmpp=xmpp,
        log=rest.log,
        admins=tuple(admin.lower() for admin in rest.admins),
        archive=rest.archive,
        limits=rest.limits,
        gateways=gateways,
    )


def _placed(xmpp: XmppSettings, folder: FileFolder) -> XmppSettings:
    if not xmpp.ca_file:
        return xmpp
    return msgspec.structs.replace(xmpp, ca_file=str(folder.path(xmpp.ca_file)))


def find_file(given: str | None) -> Path:
    """The configuration file: the one named, or the first default that is there (the first, if none is)."""
    if given is not None:
        return Path(given)
    return next((Path(name) for name in DEFAULT_FILES if Path(name).exists()), Path(DEFAULT_FILES[0]))


def _default_data_dir(environ: Mapping[str, str]) -> Path:
    state = environ.get("STATE_DIRECTORY", "").partition(":")[0]
    if state:
        return Path(state)
    home = environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(home) / "xmpp-bridge"


def _elsewhere() -> dict[str, str]:
    """Where a key belongs that stands in the wrong table: TOML makes that easy to get wrong."""
    hints = {"secret": 'each gateway has its own, in [gateway."DOMAIN"]'}
    hints["backend"] = hints["secret"]
    for field in msgspec.structs.fields(_Document):
        if field.name == "gateway" or struct_of(field.type) is not None:
            continue
        hints[field.encode_name] = "it belongs at the top of the file, above the first [table]"
    return hints


def _parsed(file: Path) -> dict[str, Any]:
    try:
        text = file.read_bytes().decode()
    except FileNotFoundError:
        text = "there is no such file; copy config.example.toml there, or name another with -c"
        raise ConfigError(str(file), [Mistake("", text)]) from None
    except OSError as error:
        raise ConfigError(str(file), [Mistake("", f"can't be read: {error.strerror}")]) from None
    except UnicodeDecodeError as error:
        raise ConfigError(str(file), [Mistake("", f"is not UTF-8 text (byte {error.start})")]) from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(file), [_syntax_mistake(str(error))]) from None


def _syntax_mistake(message: str) -> Mistake:
    match = _TOML_PLACE.fullmatch(message)
    if match is None:
        return Mistake("", f"is not TOML: {message}")
    what, line, column, _ = match.groups()
    place = f"line {line}, column {column}" if line else "end of the file"
    twice = re.fullmatch(r"Cannot declare \((.*?),?\) twice", what)
    if twice:
        keys = tuple(re.findall(r"'([^']*)'", twice[1]))
        return Mistake(place, f"the table [{key_path(keys)}] is there twice")
    if what == "Cannot overwrite a value":
        what = "this key is there twice"
    return Mistake(place, f"not TOML: {what}")


def holds_secret(file: Path) -> bool:
    """Whether a (valid) configuration file has a secret written into it."""
    return bool(secrets_in(_parsed(file)))
