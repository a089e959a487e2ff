"""`xmpp-bridge check`: tries everything that the bridge needs and says what to do about what is missing."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bridge.app.config import Config
from bridge.app.config_errors import hide_password
from bridge.app.config_models import GatewayConfig
from bridge.app.secret_files import OTHERS

if TYPE_CHECKING:
    from bridge.xmpp.link import ComponentLink

LINK_SECONDS = 10.0


class Finding(msgspec.Struct, frozen=True):
    """What one check came to. `level`: `ok`, `note` (worth a look), or `bad` (the bridge would not work)."""

    level: str
    subject: str
    text: str

    def __str__(self) -> str:
        return f"{self.level:5} {self.subject}: {self.text}"


async def check(config: Config, offline: bool) -> AsyncIterator[Finding]:
    """All findings, as they come. `offline`: only what lies on this machine's disk."""
    yield Finding("ok", str(config.file), _summary(config))
    for finding in files(config):
        yield finding
    for finding in await asyncio.to_thread(database, config):
        yield finding
    for gateway in config.gateways:
        for finding in backend(gateway):
            yield finding
    if offline:
        return
    for gateway in config.gateways:
        for finding in await link(gateway):
            yield finding


def _summary(config: Config) -> str:
    gateways = ", ".join(f"{each.domain} ({each.backend})" for each in config.gateways)
    return f"no mistakes; gateways: {gateways}"


def files(config: Config) -> list[Finding]:
    """The configuration file, the data folder, the key file."""
    return [
        *filter(None, [_config_file(config.file)]),
        _data_dir(config.data_dir),
        _key_file(config.key_file),
    ]


def _config_file(path: Path) -> Finding | None:
    from bridge.app.config import holds_secret

    if path.stat().st_mode & OTHERS and holds_secret(path):
        text = f"holds a secret and is open to everybody: chmod o-rwx {path}, or use secret_file"
        return Finding("note", str(path), text)
    return None


def _data_dir(path: Path) -> Finding:
    if path.exists() and not path.is_dir():
        return Finding("bad", "data_dir", f"{path} is a file, and should be a folder")
    if path.is_dir():
        if os.access(path, os.W_OK | os.X_OK):
            return Finding("ok", "data_dir", f"{path} can be written")
        return Finding("bad", "data_dir", f"{path} can't be written by this user: check its owner")
    parent = next(folder for folder in path.absolute().parents if folder.exists())
    if parent.is_dir() and os.access(parent, os.W_OK | os.X_OK):
        return Finding("ok", "data_dir", f"{path} will be made at the first start")
    return Finding("bad", "data_dir", f"{path} can't be made: {parent} can't be written by this user")


def _key_file(path: Path) -> Finding:
    from bridge.store.errors import VaultError
    from bridge.store.vault import Vault

    if not path.exists():
        return Finding("ok", "key file", f"{path} will be made at the first start")
    try:
        Vault.from_file(path)
    except VaultError as error:
        return Finding("bad", "key file", str(error))
    return Finding("ok", "key file", f"{path}, mode {stat.filemode(path.stat().st_mode)}")


def database(config: Config) -> list[Finding]:
    """The database, and whether the key file opens the passwords in it."""
    from bridge.app.keys import stored_problem
    from bridge.store.errors import StoreError, VaultError

    found = store(config)
    if found.level == "bad":
        return [found]
    try:
        problem = stored_problem(config)
    except (StoreError, VaultError):  # told where the file itself was looked at
        return [found]
    return [found] if problem is None else [found, Finding("bad", "passwords", problem)]


def store(config: Config) -> Finding:
    """Whether the database can be opened, and which schema it has."""
    from bridge.store import migrate
    from bridge.store.errors import StoreError

    url = config.store_url
    where = hide_password(url)
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).exists():
        return Finding("ok", "store", f"{where} will be made at the first start")
    try:
        revision = migrate.current(url)
    except StoreError as error:
        return Finding("bad", "store", str(error))
    if revision == migrate.HEAD:
        return Finding("ok", "store", f"{where}, schema {revision}")
    found = revision or "none yet"
    text = f"{where}, schema {found}: the next start brings it to {migrate.HEAD} (or: xmpp-bridge migrate)"
    return Finding("note", "store", text)


def backend(gateway: GatewayConfig) -> list[Finding]:
    """Whether the backend takes its options. (That it is there was seen when the configuration was read.)"""
    from bridge.app.wiring import StartFailed, make_backend

    try:
        made = make_backend(gateway)
    except StartFailed as error:
        return [Finding("bad", gateway.domain, line) for line in str(error).splitlines()]
    return [Finding("ok", gateway.domain, f"backend {gateway.backend}: {made.info.description}")]


async def link(gateway: GatewayConfig) -> list[Finding]:
    """Whether the XMPP server takes the gateway's domain and secret (XEP-0114), and what it needs besides."""
    from bridge.app.wiring import link_config
    from bridge.xmpp.link import ComponentLink

    component = ComponentLink(link_config(gateway, handshake_seconds=LINK_SECONDS))
    running = asyncio.create_task(component.run())
    try:
        while component.problem is None and not component.up and not running.done():
            await asyncio.wait({running}, timeout=0.02)
        problem = component.problem
        advice = await _advice(gateway, component) if problem is None else []
    finally:
        await component.stop()
        await running
    where = f"{gateway.xmpp.host}:{gateway.xmpp.port}"
    if problem is None:
        text = f"the XMPP server at {where} accepts the domain and its secret"
        return [Finding("ok", gateway.domain, text), *advice]
    level = "note" if problem.kind == "conflict" else "bad"
    return [Finding(level, gateway.domain, problem.text)]


async def _advice(gateway: GatewayConfig, component: ComponentLink) -> list[Finding]:
    """What cannot be seen from here, but must be right for messages to survive a crash of the server."""
    from bridge.xmpp.iqs import IqLost
    from bridge.xmpp.server import EJABBERD_ADVICE, is_ejabberd, software_name

    name: str = gateway.xmpp.software
    if name == "auto":
        try:
            async with asyncio.timeout(LINK_SECONDS):
                name = await software_name(component.iqs, component.config.server, gateway.domain)
        except (IqLost, TimeoutError):
            text = "does not say what it is; if it is ejabberd, say so with [xmpp] software"
            return [Finding("note", component.config.server, text)]
    return [Finding("note", component.config.server, EJABBERD_ADVICE)] if is_ejabberd(name) else []
