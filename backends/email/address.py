"""Knows how mail addresses stand in JIDs: `alice\\40example.org`, and the older `alice%example.org`."""

from __future__ import annotations

from email.utils import parseaddr

from backends.email.smtp.address import is_address
from bridge.api import Address, BadAddress, ContactAddress, ContactId, NetworkId

NETWORK = NetworkId("")
LONGEST = 254
"""Octets of an address (RFC 5321 §4.5.3.1.3, less the brackets)."""


def parse(local: str) -> Address:
    """What a local part stands for. Raises BadAddress."""
    address = local
    if "@" not in local and "%" in local:
        name, _, domain = local.rpartition("%")
        address = f"{name}@{domain}"
    if len(address.encode("utf-8", "replace")) > LONGEST or not is_address(address):
        raise BadAddress(f"{local[:80]!r} is not a mail address")
    return ContactAddress(NETWORK, ContactId(address))


def format_(address: Address) -> str:
    """The local part, unescaped; empty for the gateway itself."""
    return address.contact if isinstance(address, ContactAddress) else ""


def from_prompt(text: str) -> Address:
    """What somebody typed: `alice@example.org`, `Alice <alice@example.org>`, `mailto:...`. Raises
    BadAddress."""
    typed = text.strip()
    if typed.lower().startswith("mailto:"):
        typed = typed[7:].partition("?")[0]
    if "<" in typed:
        typed = parseaddr(typed)[1] or typed
    return parse(typed.lower())
