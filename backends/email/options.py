"""Knows what the admin may set: `[gateway."email.example.com".options]`."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Literal

import msgspec

from backends.email.values import Security, Server

MIB = 1024 * 1024


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Options of the email backend.

    Mailboxes elsewhere: `mailboxes`: users may register theirs; connections to them are always encrypted.
    `ca_file`: trust this CA (PEM) instead of the system's. `idle` and `poll`: seconds after which a mailbox
    is looked at anew, with and without IDLE.

    A domain of ours: `domain`: users may claim addresses in it. `smtp_listen`, `lmtp_listen`
    ("address:port"): where its mail comes in. `cert_file`, `key_file` (PEM): offer STARTTLS. `listen_from`:
    the networks that may connect (empty: all for SMTP, private ones for LMTP). `hostname`: how the bridge
    calls itself (empty: the domain). `postmaster`: the address in the domain that gets mail for postmaster.
    `smarthost` ("host:port") takes the mail that users send from the domain; `smarthost_tls`: "tls",
    "starttls" or "off"; `smarthost_user` and `smarthost_password_file`: its login, if it wants one.

    `mails_per_hour`: so many mails may a user send from the domain in an hour (0: any number).

    `max_mail` and `max_attachment` are in MiB. `spool`: a folder for mails under way (empty: a temporary
    one).
    """

    mailboxes: bool = True
    ca_file: str = ""
    idle: float = 540.0
    poll: float = 60.0
    domain: str = ""
    smtp_listen: str = ""
    lmtp_listen: str = ""
    cert_file: str = ""
    key_file: str = ""
    listen_from: tuple[str, ...] = ()
    hostname: str = ""
    postmaster: str = ""
    smarthost: str = ""
    smarthost_tls: Literal["tls", "starttls", "off"] = "starttls"
    smarthost_user: str = ""
    smarthost_password_file: str = ""
    mails_per_hour: int = 500
    max_mail: int = 35
    max_attachment: int = 20
    spool: str = ""

    def smarthost_server(self) -> Server:
        """Where mail from the domain goes."""
        host, port = host_and_port("smarthost", self.smarthost, 587)
        security = {"tls": Security.TLS, "starttls": Security.STARTTLS, "off": Security.PLAIN}
        return Server(host, port, security[self.smarthost_tls])


def host_and_port(option: str, text: str, usual: int = 0) -> tuple[str, int]:
    """`host:port`, `[v6]:port`, or `host` where there is a usual port. Raises ValueError."""
    host, colon, port = text.strip().rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text.strip(), str(usual)
    host = host.removeprefix("[").removesuffix("]")
    short = port.isascii() and port.isdecimal() and len(port) < 6
    if not (host and short and 0 < int(port) < 65536):
        raise ValueError(f"{option}: expected a host and a port like 127.0.0.1:2525, found {text!r}")
    return host, int(port)


def read_password(options: Options) -> str:
    """The smarthost's password (the first line of its file); empty where none is set. Raises ValueError."""
    if not options.smarthost_password_file:
        return ""
    try:
        lines = Path(options.smarthost_password_file).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"smarthost_password_file: {error}") from None
    return lines[0] if lines else ""


def check(options: Options) -> None:
    """Raise `ValueError`, naming the option, for values that cannot work; reads the files that are named."""
    listens = options.smtp_listen or options.lmtp_listen
    if not options.mailboxes and not options.domain:
        raise ValueError("mailboxes, domain: with neither there is nothing to do")
    if listens and not options.domain:
        raise ValueError("domain: must be set where the bridge listens for mail (smtp_listen, lmtp_listen)")
    if options.domain and not listens:
        raise ValueError("smtp_listen, lmtp_listen: set one of them for mail to the domain to come in")
    if options.domain and not options.smarthost:
        raise ValueError("smarthost: must be set for mail from the domain to go out")
    if options.domain and (options.domain != options.domain.lower() or "." not in options.domain):
        raise ValueError(f"domain: expected one in lower case, like example.org; found {options.domain!r}")
    for name in ("smtp_listen", "lmtp_listen"):
        if getattr(options, name):
            host_and_port(name, getattr(options, name))
    if options.smarthost:
        options.smarthost_server()
    read_password(options)
    _check_files(options)
    _check_numbers(options)


def _check_files(options: Options) -> None:
    for name in ("ca_file", "cert_file", "key_file"):
        file = getattr(options, name)
        if file and not Path(file).is_file():
            raise ValueError(f"{name}: no such file: {file}")
    if options.key_file and not options.cert_file:
        raise ValueError("cert_file: must be set where key_file is")
    if options.spool and not Path(options.spool).is_dir():
        raise ValueError(f"spool: no such folder: {options.spool}")


def _check_numbers(options: Options) -> None:
    for network in options.listen_from:
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            raise ValueError(f"listen_from: {error}") from None
    if options.postmaster and not options.postmaster.endswith(f"@{options.domain}"):
        raise ValueError(f"postmaster: expected an address in the domain, found {options.postmaster!r}")
    if not 1 <= options.max_attachment <= options.max_mail <= 1024:
        raise ValueError("max_mail, max_attachment: expected 1 to 1024 MiB, and max_mail the larger")
    if options.mails_per_hour < 0:
        raise ValueError("mails_per_hour: expected 0 (any number) or more")
    if options.idle < 1 or options.poll < 1:
        raise ValueError("idle, poll: expected a second or more")
