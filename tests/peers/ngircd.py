"""Knows how a throw-away ngIRCd is configured: the bare RFC 1459 peer, with TLS."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from tests.peers.daemon import Daemon, find_program, free_port, own, running, scratch
from tests.peers.tls import make_certificates

_CONFIG = """\
[Global]
 Name = {server}
 Info = test
 Listen = 127.0.0.1
 Ports = {port}
{user_lines}
[Limits]
 MaxConnections = 0
 MaxConnectionsIP = 0
 MaxJoins = 0
 MaxNickLength = 30
 PingTimeout = 120
 MaxPenaltyTime = 0
[Options]
 DNS = no
 Ident = no
 PAM = no
 SyslogFacility = local1
{extra}
[SSL]
 CertFile = {cert_file}
 KeyFile = {key_file}
 Ports = {tls_port}
"""


class Ngircd(Daemon):
    """A running ngIRCd: `port` speaks plain, `tls_port` TLS with a certificate that `ca_file` vouches for."""

    name = "ngircd"
    user = "nobody"

    def __init__(self, folder: Path, extra: str = "") -> None:
        self.server = "bare.example.org"
        self.port, self.tls_port = free_port(), free_port()
        super().__init__(folder, [self.port, self.tls_port])
        certificates = make_certificates(folder, self.server)
        self.ca_file = certificates.ca_file
        self.config_file = folder / "ngircd.conf"
        self.config_file.write_text(
            _CONFIG.format(
                server=self.server,
                port=self.port,
                tls_port=self.tls_port,
                extra=extra,
                cert_file=certificates.cert_file,
                key_file=certificates.key_file,
                user_lines=" ServerUID = nobody\n ServerGID = nogroup" if os.geteuid() == 0 else "",
            )
        )
        own(folder, self.user)

    def command(self) -> list[str]:
        return [find_program("ngircd"), "-n", "-f", str(self.config_file)]


@contextlib.contextmanager
def running_ngircd(extra: str = "") -> Iterator[Ngircd]:
    """A fresh ngIRCd, gone after the `with`; `extra` are lines for its [Options]."""
    with scratch("ngircd", Ngircd.user) as folder, running(Ngircd(folder, extra)) as server:
        yield server
