"""Knows how a throw-away nginx is configured: one server on loopback, with what a test puts into it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from tests.peers.daemon import Daemon, find_program, free_port, running, scratch

_CONFIG = """\
daemon off;
pid nginx.pid;
error_log stderr;
{user_line}
events {{}}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {{
        listen 127.0.0.1:{port};
{server}
    }}
}}
"""


class Nginx(Daemon):
    """A running nginx; `server` are lines of its `server` block."""

    name = "nginx"

    def __init__(self, folder: Path, server: str) -> None:
        self.port = free_port()
        super().__init__(folder, [self.port])
        self.config_file = folder / "nginx.conf"
        user_line = "user root;" if os.geteuid() == 0 else ""
        self.config_file.write_text(_CONFIG.format(port=self.port, server=server, user_line=user_line))

    def command(self) -> list[str]:
        return [find_program("nginx"), "-p", str(self.folder), "-e", "stderr", "-c", str(self.config_file)]


@contextlib.contextmanager
def running_nginx(server: str) -> Iterator[Nginx]:
    """nginx with these lines in its server, gone after the `with`."""
    with scratch("nginx") as folder, running(Nginx(folder, server)) as nginx:
        yield nginx
