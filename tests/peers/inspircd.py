"""Knows how a throw-away InspIRCd is configured: plain and TLS ports, IRCv3, a port for services."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.peers.daemon import Daemon, find_program, free_port, running, scratch
from tests.peers.tls import make_certificates

SERVER = "irc.example.org"
SERVICES = "services.example.org"
LINK_PASSWORD = "linkpw"

_MODULES = (
    "ssl_gnutls sha256 cap ircv3 ircv3_accounttag ircv3_batch ircv3_capnotify ircv3_chghost ircv3_ctctags "
    "ircv3_echomessage ircv3_invitenotify ircv3_labeledresponse ircv3_msgid ircv3_servertime monitor deaf "
    "svshold servprotect hideoper topiclock chanfilter muteban callerid sasl services_account spanningtree "
    "namesx uhnames botmode setname chanhistory alias"
).split()

_CONFIG = """\
<config format="xml">
<server name="{server}" description="test" network="{network}" id="0AA">
<admin name="admin" nick="admin" email="admin@example.org">
<bind address="127.0.0.1" port="{port}" type="clients">
<bind address="127.0.0.1" port="{tls_port}" type="clients" sslprofile="Clients">
<bind address="127.0.0.1" port="{link_port}" type="servers">
<sslprofile name="Clients" provider="gnutls" certfile="{cert_file}" keyfile="{key_file}" \
requestclientcert="yes" hash="sha256">
<connect name="main" allow="*" timeout="30" pingfreq="120" hardsendq="1048576" softsendq="262144" \
recvq="65536" threshold="1000000" commandrate="1000000" fakelag="no" localmax="10000" globalmax="10000" \
resolvehostnames="no" useident="no" modes="+ix"{password}>
<class name="Shutdown" commands="DIE RESTART REHASH KILL">
<type name="NetAdmin" classes="Shutdown">
<oper name="root" password="root" host="*@*" type="NetAdmin">
<performance netbuffersize="10240" somaxconn="1024" softlimit="10000" clonesonconnect="no" quietbursts="yes">
<log method="file" type="* -USERINPUT -USEROUTPUT" level="default" target="{folder}/inspircd.log">
<path configdir="{folder}" datadir="{folder}" logdir="{folder}" runtimedir="{folder}">
<pid file="{folder}/inspircd.pid">
<options prefixquit="Quit: " syntaxhints="yes" casemapping="rfc1459" hostintopic="yes" pingwarning="15" \
serverpingfreq="60" splitwhois="no" exemptchanops="nonick:v flood:o">
<dns server="127.0.0.1" timeout="1">
<whowas groupsize="10" maxgroups="1000" maxkeep="1h">
<maxlist chan="*" limit="100">
<sasl target="{services}" requiressl="no">
<chanhistory bots="yes" prefixmsg="yes" maxlines="50">
<link name="{services}" ipaddr="127.0.0.1" port="{link_port}" allowmask="127.0.0.0/8" timeout="60" \
hidden="no" sendpass="{link_password}" recvpass="{link_password}">
<uline server="{services}" silent="yes">
"""


@dataclass
class InspircdSetup:
    """What an InspIRCd is to be; `extra` are lines of its configuration, for one test's needs."""

    server: str = SERVER
    network: str = "ExampleNet"
    password: str | None = None
    extra: str = ""


class Inspircd(Daemon):
    """A running InspIRCd: `port` speaks plain, `tls_port` TLS with a certificate that `ca_file` vouches for.

    Operator: `OPER root root`.
    """

    name = "inspircd"

    def __init__(self, folder: Path, setup: InspircdSetup) -> None:
        self.setup = setup
        self.server = setup.server
        self.port, self.tls_port, self.link_port = free_port(), free_port(), free_port()
        super().__init__(folder, [self.port, self.tls_port, self.link_port])
        self.certificates = make_certificates(folder, setup.server)
        self.ca_file = self.certificates.ca_file
        self.write_config()

    @property
    def config_file(self) -> Path:
        return self.folder / "inspircd.conf"

    def write_config(self) -> None:
        """Write the configuration from `setup`; call it again after a change, before `restart`."""
        text = _CONFIG.format(
            folder=self.folder, server=self.setup.server, network=self.setup.network,
            port=self.port, tls_port=self.tls_port, link_port=self.link_port,
            cert_file=self.certificates.cert_file, key_file=self.certificates.key_file,
            services=SERVICES, link_password=LINK_PASSWORD,
            password=f' password="{self.setup.password}"' if self.setup.password else "",
        )  # fmt: skip
        text += "".join(f'<module name="{module}">\n' for module in _MODULES)
        self.config_file.write_text(text + self.setup.extra)

    def command(self) -> list[str]:
        words = ["--config", str(self.config_file), "--nofork", "--nopid"]
        return [find_program("inspircd"), *words, *(["--runasroot"] if os.geteuid() == 0 else [])]


@contextlib.contextmanager
def running_inspircd(setup: InspircdSetup | None = None) -> Iterator[Inspircd]:
    """A fresh InspIRCd, gone after the `with`."""
    with scratch("inspircd") as folder, running(Inspircd(folder, setup or InspircdSetup())) as server:
        yield server
