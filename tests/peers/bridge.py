"""Knows how the bridge itself runs as a process: configured in a folder, started by its command line."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.peers.daemon import Daemon, running, scratch

ROOT = Path(__file__).resolve().parents[2]
DOMAIN = "irc.example.test"


class ComponentServer(Protocol):
    """What the bridge needs of an XMPP server."""

    @property
    def host(self) -> str: ...
    @property
    def component_port(self) -> int: ...


@dataclass
class BridgeSetup:
    """What the bridge is to serve. `networks` are TOML lines below the IRC gateway's options; `data_dir` is
    the bridge's folder, if not given. `module` is run in place of the bridge's own, with its arguments. `top`
    are keys above all tables, with their values as TOML."""

    networks: str = ""
    options: str = "throttle_burst = 1000\nthrottle_per_second = 1000.0\n"
    gateway: str = ""
    extra: str = ""
    xmpp: str = ""
    secret: str = "sekrit"
    backend: str = "irc"
    domain: str = DOMAIN
    store_url: str = ""
    data_dir: Path | None = None
    allow_private: bool = True
    module: str = "bridge"
    top: dict[str, str] = field(default_factory=dict)


class Bridge(Daemon):
    """A running bridge; `link_count()` is how often the XMPP server has accepted it."""

    name = "bridge"
    start_seconds = 30.0

    def __init__(self, folder: Path, server: ComponentServer, setup: BridgeSetup) -> None:
        super().__init__(folder, [])
        self.setup = setup
        self.server = server
        self._links_before = 0
        self.write_config()

    @property
    def config_file(self) -> Path:
        return self.folder / "config.toml"

    def write_config(self) -> None:
        """Write the configuration from `setup`; call it again after a change, before `restart`."""
        setup = self.setup
        store = f'[store]\nurl = "{setup.store_url}"\n' if setup.store_url else ""
        top = "".join(f"{name} = {value}\n" for name, value in setup.top.items())
        self.config_file.write_text(
            f"{top}"
            f'data_dir = "{setup.data_dir or self.folder}"\n'
            f"{store}"
            f'[xmpp]\nhost = "127.0.0.1"\nport = {self.server.component_port}\n'
            f'domain = "{self.server.host}"\n{setup.xmpp}\n'
            f'[log]\nlevel = "info"\nformat = "json"\n'
            f"{setup.extra}\n"
            f'[gateway."{setup.domain}"]\nbackend = "{setup.backend}"\nsecret = "{setup.secret}"\n'
            f"allow_private_networks = {str(setup.allow_private).lower()}\n{setup.gateway}\n"
            f'[gateway."{setup.domain}".options]\n{setup.options}\n'
            f"{setup.networks}\n"
        )

    def command(self) -> list[str]:
        return [sys.executable, "-m", self.setup.module, "run", "-c", str(self.config_file)]

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}

    def link_count(self) -> int:
        return self.log_text().count("has accepted us")

    def start(self) -> None:
        self._links_before = self.link_count()
        super().start()

    def ready(self) -> bool:
        return self.link_count() > self._links_before


def network(
    name: str, port: int, *, tls: str = "off", ca_file: Path | None = None, domain: str = DOMAIN
) -> str:
    """The TOML of one IRC network on loopback."""
    ca_line = f'ca_file = "{ca_file}"\n' if ca_file else ""
    return (
        f'[gateway."{domain}".options.networks."{name}"]\n'
        f'host = "localhost"\nport = {port}\ntls = "{tls}"\n{ca_line}'
    )


@contextlib.contextmanager
def running_bridge(server: ComponentServer, setup: BridgeSetup) -> Iterator[Bridge]:
    """The bridge attached to an XMPP server, gone after the `with`."""
    with scratch("bridge") as folder, running(Bridge(folder, server, setup)) as bridge:
        yield bridge
