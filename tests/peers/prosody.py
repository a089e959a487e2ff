"""Knows how a throw-away Prosody is configured: accounts, component domains, MUC, upload, websocket."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.peers.daemon import Daemon, find_program, free_port, running, scratch

DEFAULT_USERS = {"alice": "alice-pw", "bob": "bob-pw"}
DEFAULT_COMPONENTS = {"irc.example.test": "sekrit"}

_GLOBAL = """\
local dir = "{folder}"
run_as_root = true
daemonize = false
pidfile = dir.."/prosody.pid"
data_path = dir.."/data"
certificates = dir.."/certs"
admins = {{ "admin@{host}" }}
interfaces = {{ "127.0.0.1" }}
local_interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {c2s_port} }}
c2s_direct_tls_ports = {{ }}
s2s_ports = {{ }}
component_ports = {{ {component_port} }}
component_interfaces = {{ "127.0.0.1" }}
http_ports = {{ {http_port} }}
http_interfaces = {{ "127.0.0.1" }}
https_ports = {{ }}
http_default_host = "{host}"
http_external_url = "http://127.0.0.1:{http_port}/"
http_max_content_size = 50*1024*1024
consider_websocket_secure = true
consider_bosh_secure = true
cross_domain_websocket = true
cross_domain_bosh = true
admin_socket = dir.."/prosody.sock"
c2s_require_encryption = false
s2s_require_encryption = false
allow_unencrypted_plain_auth = true
authentication = "internal_plain"
storage = "internal"
limits = {{ }}
modules_enabled = {{
  "roster", "saslauth", "disco", "ping", "pep", "private", "vcard4", "vcard_legacy", "blocklist",
  "carbons", "mam", "csi_simple", "smacks", "time", "version", "uptime", "admin_shell", "bosh", "websocket",
  "register",
}}
modules_disabled = {{ "s2s", "tls" }} -- no federation: no DNS look-ups
log = {{ {{ levels = {{ min = "{log_level}" }}, to = "file", filename = dir.."/prosody.log" }} }}
{extra_global}
VirtualHost "{host}"
{extra_host}
Component "conference.{host}" "muc"
  modules_enabled = {{ "muc_mam" }}
  muc_room_default_public = true
  restrict_room_creation = false
Component "upload.{host}" "http_file_share"
  http_file_share_size_limit = 20*1024*1024
  http_external_url = "http://127.0.0.1:{http_port}/"
  http_host = "127.0.0.1"
"""

_COMPONENT = """
Component "{domain}"
  component_secret = "{secret}"
"""


@dataclass
class ProsodySetup:
    """What a Prosody is to serve. `extra_*` are lines of its configuration, for one test's needs."""

    host: str = "example.test"
    components: Mapping[str, str] = field(default_factory=lambda: dict(DEFAULT_COMPONENTS))
    """component domain -> shared secret"""
    users: Mapping[str, str] = field(default_factory=lambda: dict(DEFAULT_USERS))
    """account name (without domain) -> password"""
    log_level: str = "info"
    extra_global: str = ""
    extra_host: str = ""


class Prosody(Daemon):
    """A running Prosody; the ports and domains that a client or a component needs."""

    name = "prosody"

    def __init__(self, folder: Path, setup: ProsodySetup) -> None:
        self.setup = setup
        self.host = setup.host
        self.c2s_port = free_port()
        self.component_port = free_port()
        self.http_port = free_port()
        super().__init__(folder, [self.c2s_port, self.component_port, self.http_port])
        self.write_config()
        for user, password in setup.users.items():
            self.add_user(user, password)

    @property
    def websocket_url(self) -> str:
        return f"ws://127.0.0.1:{self.http_port}/xmpp-websocket"

    @property
    def config_file(self) -> Path:
        return self.folder / "prosody.cfg.lua"

    def jid(self, user: str) -> str:
        return f"{user}@{self.host}"

    def password(self, user: str) -> str:
        return self.setup.users[user]

    def write_config(self) -> None:
        """Write the configuration from `setup`; call it again after a change, before `restart`."""
        setup = self.setup
        text = _GLOBAL.format(
            folder=self.folder, host=setup.host, log_level=setup.log_level,
            c2s_port=self.c2s_port, component_port=self.component_port, http_port=self.http_port,
            extra_global=setup.extra_global, extra_host=setup.extra_host,
        )  # fmt: skip
        for domain, secret in setup.components.items():
            text += _COMPONENT.format(domain=domain, secret=secret)
        self.config_file.write_text(text)
        (self.folder / "certs").mkdir(exist_ok=True)

    def add_user(self, user: str, password: str) -> None:
        """Make an account; works while the server runs, too (it reads the file at each login)."""
        folder = self.folder / "data" / _encoded(self.host) / "accounts"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{_encoded(user)}.dat").write_text(f'return {{ ["password"] = "{password}"; }};\n')

    def command(self) -> list[str]:
        return [find_program("prosody"), "-F", "--config", str(self.config_file)]


def _encoded(name: str) -> str:
    """How Prosody's file storage writes a name."""
    return re.sub(r"[^A-Za-z0-9]", lambda match: f"%{ord(match[0]):02x}", name)


@contextlib.contextmanager
def running_prosody(setup: ProsodySetup | None = None) -> Iterator[Prosody]:
    """A fresh Prosody, gone after the `with`: `running_prosody(ProsodySetup(components={...}))`."""
    with scratch("prosody") as folder, running(Prosody(folder, setup or ProsodySetup())) as prosody:
        yield prosody
