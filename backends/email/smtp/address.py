"""Knows which envelope addresses are taken, and how they stand in MAIL and RCPT (RFC 5321 §4.1.2,
§4.5.3.1; RFC 6531 §3.3)."""

from __future__ import annotations

import re

import msgspec

LOCAL_LIMIT = 64
ADDRESS_LIMIT = 254
"""Octets (RFC 5321 §4.5.3.1.1 and .3, without the angle brackets)."""

# Source routes (`<@hop:user@host>`) are read and forgotten, as RFC 5321 appendix C has it.
_PATH = re.compile(
    r'<(?:@[^\s<>:"]+:)?(?P<address>(?:"(?:[^"\\]|\\.)*"|[^\s<>"@]+)@[^\s<>"@]+|[Pp][Oo][Ss][Tt][Mm][Aa][Ss][Tt][Ee][Rr]|)>'
    r"(?:[ \t]+(?P<params>\S.*))?"
)
_ADDRESS = re.compile(
    r'(?:"(?:[^"\\]|\\.)*"|[^\s<>"@,;:()\[\]\\]+)@(?:[\w.-]+|\[[0-9A-Fa-f:.]+\]|\[IPv6:[0-9A-Fa-f:.]+\])'
)
_PARAM = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([!-<>-~]+))?")


class Path(msgspec.Struct, frozen=True):
    """What follows `FROM:` or `TO:`. `address` is lower-cased and empty for the null path `<>`; `params` are
    upper-cased names with their values (empty where there is none)."""

    address: str
    params: dict[str, str]


def is_address(text: str, *, beyond_ascii: bool = True) -> bool:
    """Whether this is a mail address that may stand in an envelope: `local@domain`, nothing that could break
    a line, letters beyond ASCII only where they are wanted."""
    if not text.isprintable() or not (beyond_ascii or text.isascii()):
        return False
    local, _, _ = text.rpartition("@")
    fits = len(text.encode()) <= ADDRESS_LIMIT and len(local.encode()) <= LOCAL_LIMIT
    return fits and _ADDRESS.fullmatch(text) is not None


def read_path(text: str) -> Path | None:
    """`<address> PARAM=value ...`, as a client sent it; None: it is not written like that, or the address is
    not to be taken. Letters beyond ASCII need the parameter SMTPUTF8 at MAIL; that is for the caller to
    check."""
    found = _PATH.fullmatch(text.strip())
    if found is None:
        return None
    address = found["address"].lower()
    params = _read_params(found["params"] or "")
    if params is None or (address not in ("", "postmaster") and not is_address(address)):
        return None
    return Path(address, params)


def _read_params(text: str) -> dict[str, str] | None:
    params = {}
    for word in text.split():
        found = _PARAM.fullmatch(word)
        if found is None:
            return None
        params[found[1].upper()] = found[2] or ""
    return params


def for_the_wire(address: str) -> str:
    """The address with its domain in ASCII (IDNA), where that is all that is beyond ASCII in it: most servers
    take that without SMTPUTF8. Raises `ValueError` if it is no address."""
    if not address or not is_address(address):
        raise ValueError("this is no mail address")
    local, _, domain = address.rpartition("@")
    if address.isascii() or not local.isascii():
        return address
    try:
        return f"{local}@{domain.encode('idna').decode()}"
    except UnicodeError:
        return address  # not a domain that DNS could hold; the server may say so


def xtext(text: str) -> str:
    """Encoded for a parameter's value (RFC 3461 §4)."""
    return "".join(
        c if "!" <= c <= "~" and c not in "+=" else "".join(f"+{b:02X}" for b in c.encode()) for c in text
    )
