"""Knows Mozilla's autoconfig format (wiki.mozilla.org, Thunderbird:Autoconfiguration:ConfigFileFormat). Pure:
XML in, candidates out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from backends.email.discovery.found import Candidate, Found, is_host
from backends.email.values import Security, Server

_SOCKETS = {"ssl": Security.TLS, "starttls": Security.STARTTLS, "plain": Security.PLAIN}
_WITH_PASSWORD = ("password-cleartext", "plain", "password-encrypted", "secure")
_MOST_SERVERS = 10


def read(data: bytes, address: str, source: str, *, outside: bool = False) -> Found:
    """The servers that a configuration names. Raises `ValueError` where it is none."""
    try:
        root = fromstring(data, forbid_dtd=True)
    except (ParseError, DefusedXmlException, LookupError, ValueError) as error:
        raise ValueError("it is no proper XML") from error
    if root.tag != "clientConfig":
        raise ValueError("it is no autoconfig file")
    imap = tuple(_servers(root, "incomingServer", "imap", address, source, outside))
    smtp = tuple(_servers(root, "outgoingServer", "smtp", address, source, outside))
    return Found(imap, smtp, (f"{source}: {len(imap)} for IMAP, {len(smtp)} for sending",))


def _servers(root: Any, tag: str, kind: str, address: str, source: str, outside: bool) -> Iterator[Candidate]:
    for element in root.findall(f"./emailProvider/{tag}")[:_MOST_SERVERS]:
        if element.get("type", "").strip().lower() == kind and _takes_passwords(element):
            server = _server(element, address)
            if server is not None:
                user = _filled_in(_text(element, "username"), address) or address
                yield Candidate(server, (user,), source, outside=outside)


def _takes_passwords(element: Any) -> bool:
    ways = [(each.text or "").strip().lower() for each in element.findall("authentication")]
    return not ways or any(way in _WITH_PASSWORD for way in ways)


def _server(element: Any, address: str) -> Server | None:
    host = _filled_in(_text(element, "hostname"), address).lower().rstrip(".")
    port, security = _text(element, "port"), _SOCKETS.get(_text(element, "socketType").lower())
    if security is None or not is_host(host):
        return None
    if not (port.isascii() and port.isdecimal() and len(port) < 6 and 0 < int(port) < 65536):
        return None
    return Server(host, int(port), security)


def _text(element: Any, tag: str) -> str:
    return (element.findtext(tag) or "").strip()


def _filled_in(text: str, address: str) -> str:
    local, _, domain = address.rpartition("@")
    for name, value in (("ADDRESS", address), ("LOCALPART", local), ("DOMAIN", domain)):
        text = text.replace(f"%EMAIL{name}%", value)
    return text
