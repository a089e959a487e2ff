"""Knows how a throw-away ejabberd is configured: accounts, component domains, MUC, upload, websocket.

It runs as a single Erlang node without distribution, so there is no epmd, no cookie, and no need
of `ejabberdctl`, which only root and the user `ejabberd` may call; accounts are made over HTTP.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from glob import glob
from pathlib import Path

from tests.peers.daemon import Daemon, find_program, free_port, own, running, scratch

DEFAULT_USERS = {"alice": "alice-pw", "bob": "bob-pw"}
DEFAULT_COMPONENTS = {"irc.example.test": "sekrit"}

_CONFIG = """\
hosts: [{host}]
loglevel: {log_level}
language: en
listen:
  - port: {c2s_port}
    ip: "127.0.0.1"
    module: ejabberd_c2s
    starttls: false
    starttls_required: false
    max_stanza_size: 262144
    shaper: none
  - port: {component_port}
    ip: "127.0.0.1"
    module: ejabberd_service
    access: all
    shaper: none
    hosts:
{components}
  - port: {http_port}
    ip: "127.0.0.1"
    module: ejabberd_http
    tls: false
    request_handlers:
      /ws: ejabberd_http_ws
      /api: mod_http_api
      /upload: mod_http_upload
api_permissions:
  "loopback":
    who: {{ip: 127.0.0.1/8}}
    what: ["*"]
auth_method: {auth}
acl: {{local: {{user_regexp: ""}}}}
access_rules: {{local: {{allow: local}}, c2s: {{allow: all}}}}
modules:
  mod_roster: {{}}
  mod_disco: {{}}
  mod_ping: {{}}
  mod_carboncopy: {{}}
  mod_mam: {{default: always}}
  mod_stream_mgmt: {{}}
  mod_muc: {{}}
  mod_offline: {{}}
  mod_http_upload:
    put_url: "http://127.0.0.1:{http_port}/upload"
    hosts: [upload.{host}]
    docroot: "{folder}/upload"
    access: all
"""

_SQL = """default_db: sql
sql_type: sqlite
sql_database: "{file}"
"""
_SCHEMA = Path("/usr/share/ejabberd/sql/lite.sql")


@dataclass
class EjabberdSetup:
    """What an ejabberd is to serve. `extra` are lines of its configuration, for one test's needs."""

    host: str = "example.test"
    components: Mapping[str, str] = field(default_factory=lambda: dict(DEFAULT_COMPONENTS))
    """component domain -> shared secret"""
    users: Mapping[str, str] = field(default_factory=lambda: dict(DEFAULT_USERS))
    """account name (without domain) -> password"""
    log_level: str = "info"
    sql: bool = False
    """keep everything in SQLite, as only then a killed server loses nothing"""
    extra: str = ""


class Ejabberd(Daemon):
    """A running ejabberd; the ports and domains that a client or a component needs."""

    name = "ejabberd"
    user = "ejabberd"
    start_seconds = 40.0

    def __init__(self, folder: Path, setup: EjabberdSetup) -> None:
        self.setup = setup
        self.host = setup.host
        self.c2s_port, self.component_port, self.http_port = free_port(), free_port(), free_port()
        super().__init__(folder, [self.c2s_port, self.component_port, self.http_port])
        (folder / "spool").mkdir()
        (folder / "inetrc").write_text('{lookup,["file"]}.\n{host,{127,0,0,1},["localhost"]}.\n')
        self.write_config()

    @property
    def websocket_url(self) -> str:
        return f"ws://127.0.0.1:{self.http_port}/ws"

    @property
    def config_file(self) -> Path:
        return self.folder / "ejabberd.yml"

    def jid(self, user: str) -> str:
        return f"{user}@{self.host}"

    def password(self, user: str) -> str:
        return self.setup.users[user]

    def write_config(self) -> None:
        """Write the configuration from `setup`; call it again after a change, before `restart`."""
        setup = self.setup
        components = [f'      {name}: {{password: "{word}"}}' for name, word in setup.components.items()]
        auth = "sql" if setup.sql else "internal"
        text = _CONFIG.format(
            folder=self.folder, host=setup.host, log_level=setup.log_level, components="\n".join(components),
            c2s_port=self.c2s_port, component_port=self.component_port, http_port=self.http_port, auth=auth,
        )  # fmt: skip
        if setup.sql:
            text += self._database()
        self.config_file.write_text(text + setup.extra)
        own(self.folder, self.user)

    def _database(self) -> str:
        """The lines for an SQL database, which is made if it is not there."""
        file = self.folder / "spool" / "ejabberd.db"
        if not file.exists():
            make_tables(file)
        return _SQL.format(file=file)

    def add_user(self, user: str, password: str) -> None:
        """Make an account while the server runs."""
        body = json.dumps({"user": user, "host": self.host, "password": password}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.http_port}/api/register", body)
        with urllib.request.urlopen(request, timeout=10) as answer:
            answer.read()

    def command(self) -> list[str]:
        spool = f'"{self.folder / "spool"}"'
        return [find_program("erl"), "+K", "true", "-noinput", "-mnesia", "dir", spool, "-s", "ejabberd"]

    def environment(self) -> dict[str, str]:
        libraries = {str(Path(found).parent) for found in glob("/usr/lib/*/ejabberd-*")}
        return {
            **os.environ,
            "HOME": str(self.folder),
            "EJABBERD_CONFIG_PATH": str(self.config_file),
            "EJABBERD_LOG_PATH": str(self.log_file),
            "ERL_LIBS": ":".join(sorted(libraries)),
            "ERL_INETRC": str(self.folder / "inetrc"),
            "ERL_CRASH_DUMP": str(self.folder / "crash.dump"),
        }


def make_tables(file: Path) -> None:
    """An SQLite database as ejabberd wants it."""
    with contextlib.closing(sqlite3.connect(file)) as database:
        database.executescript(_SCHEMA.read_text())


@contextlib.contextmanager
def running_ejabberd(setup: EjabberdSetup | None = None) -> Iterator[Ejabberd]:
    """A fresh ejabberd, gone after the `with`: `running_ejabberd(EjabberdSetup(components={...}))`."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(scratch("ejabberd", Ejabberd.user))
        ejabberd = stack.enter_context(running(Ejabberd(folder, setup or EjabberdSetup())))
        for user, password in ejabberd.setup.users.items():
            ejabberd.add_user(user, password)
        yield ejabberd
